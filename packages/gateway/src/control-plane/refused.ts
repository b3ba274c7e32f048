/** Amazon's operations that are not offered, each with the reason; a client must not take them for misspelt. */
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import { badRequest, notImplemented } from './problems.ts'

type Refused = readonly [operation: string, request: string]

/** Amazon's own refusal: these belong to WebSocket APIs. */
const webSocketOnly: readonly Refused[] = [
  ['CreateIntegrationResponse', 'POST /v2/apis/:ApiId/integrations/:IntegrationId/integrationresponses'],
  ['GetIntegrationResponses', 'GET /v2/apis/:ApiId/integrations/:IntegrationId/integrationresponses'],
  ['GetIntegrationResponse', 'GET /v2/apis/:ApiId/integrations/:IntegrationId/integrationresponses/:Id'],
  ['UpdateIntegrationResponse', 'PATCH /v2/apis/:ApiId/integrations/:IntegrationId/integrationresponses/:Id'],
  ['DeleteIntegrationResponse', 'DELETE /v2/apis/:ApiId/integrations/:IntegrationId/integrationresponses/:Id'],
  ['CreateModel', 'POST /v2/apis/:ApiId/models'],
  ['GetModels', 'GET /v2/apis/:ApiId/models'],
  ['GetModel', 'GET /v2/apis/:ApiId/models/:ModelId'],
  ['GetModelTemplate', 'GET /v2/apis/:ApiId/models/:ModelId/template'],
  ['UpdateModel', 'PATCH /v2/apis/:ApiId/models/:ModelId'],
  ['DeleteModel', 'DELETE /v2/apis/:ApiId/models/:ModelId'],
  ['CreateRouteResponse', 'POST /v2/apis/:ApiId/routes/:RouteId/routeresponses'],
  ['GetRouteResponses', 'GET /v2/apis/:ApiId/routes/:RouteId/routeresponses'],
  ['GetRouteResponse', 'GET /v2/apis/:ApiId/routes/:RouteId/routeresponses/:Id'],
  ['UpdateRouteResponse', 'PATCH /v2/apis/:ApiId/routes/:RouteId/routeresponses/:Id'],
  ['DeleteRouteResponse', 'DELETE /v2/apis/:ApiId/routes/:RouteId/routeresponses/:Id'],
  ['DeleteRouteRequestParameter', 'DELETE /v2/apis/:ApiId/routes/:RouteId/requestparameters/:Key'],
]

const page = '/v2/portalproducts/:Id/productpages'
const endpointPage = '/v2/portalproducts/:Id/productrestendpointpages'
const rules = '/v2/domainnames/:DomainName/routingrules'

const notOffered: readonly (readonly [noun: string, operations: readonly Refused[]])[] = [
  [
    'VPC links',
    [
      ['CreateVpcLink', 'POST /v2/vpclinks'],
      ['GetVpcLinks', 'GET /v2/vpclinks'],
      ['GetVpcLink', 'GET /v2/vpclinks/:Id'],
      ['UpdateVpcLink', 'PATCH /v2/vpclinks/:Id'],
      ['DeleteVpcLink', 'DELETE /v2/vpclinks/:Id'],
    ],
  ],
  [
    'Routing rules',
    [
      ['CreateRoutingRule', `POST ${rules}`],
      ['ListRoutingRules', `GET ${rules}`],
      ['GetRoutingRule', `GET ${rules}/:Id`],
      ['PutRoutingRule', `PUT ${rules}/:Id`],
      ['DeleteRoutingRule', `DELETE ${rules}/:Id`],
    ],
  ],
  [
    'Developer portals',
    [
      ['CreatePortal', 'POST /v2/portals'],
      ['ListPortals', 'GET /v2/portals'],
      ['GetPortal', 'GET /v2/portals/:Id'],
      ['UpdatePortal', 'PATCH /v2/portals/:Id'],
      ['DeletePortal', 'DELETE /v2/portals/:Id'],
      ['PreviewPortal', 'POST /v2/portals/:Id/preview'],
      ['PublishPortal', 'POST /v2/portals/:Id/publish'],
      ['DisablePortal', 'DELETE /v2/portals/:Id/publish'],
      ['CreatePortalProduct', 'POST /v2/portalproducts'],
      ['ListPortalProducts', 'GET /v2/portalproducts'],
      ['GetPortalProduct', 'GET /v2/portalproducts/:Id'],
      ['UpdatePortalProduct', 'PATCH /v2/portalproducts/:Id'],
      ['DeletePortalProduct', 'DELETE /v2/portalproducts/:Id'],
      ['GetPortalProductSharingPolicy', 'GET /v2/portalproducts/:Id/sharingpolicy'],
      ['PutPortalProductSharingPolicy', 'PUT /v2/portalproducts/:Id/sharingpolicy'],
      ['DeletePortalProductSharingPolicy', 'DELETE /v2/portalproducts/:Id/sharingpolicy'],
      ['CreateProductPage', `POST ${page}`],
      ['ListProductPages', `GET ${page}`],
      ['GetProductPage', `GET ${page}/:PageId`],
      ['UpdateProductPage', `PATCH ${page}/:PageId`],
      ['DeleteProductPage', `DELETE ${page}/:PageId`],
      ['CreateProductRestEndpointPage', `POST ${endpointPage}`],
      ['ListProductRestEndpointPages', `GET ${endpointPage}`],
      ['GetProductRestEndpointPage', `GET ${endpointPage}/:PageId`],
      ['UpdateProductRestEndpointPage', `PATCH ${endpointPage}/:PageId`],
      ['DeleteProductRestEndpointPage', `DELETE ${endpointPage}/:PageId`],
    ],
  ],
]

export const refused: Slice<object> = () => async (app) => {
  const mount = (refusals: readonly Refused[], refuse: (operation: string) => Error) => {
    for (const [operation, request] of refusals) {
      const [method, url] = request.split(' ') as ['GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', string]
      app.route({
        method,
        url,
        schema: { ...{ operationId: operation, summary: 'Not offered', tags: ['Not offered'] }, response: {} },
        handler: async () => {
          throw refuse(operation)
        },
      })
    }
  }
  mount(webSocketOnly, (operation) => badRequest(`${operation} is not supported for HTTP APIs`))
  for (const [noun, operations] of notOffered) {
    mount(operations, (operation) => notImplemented(`${noun} are not offered here: ${operation} does nothing`))
  }
}
