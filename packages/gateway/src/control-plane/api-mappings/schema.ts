import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { Maybe, Text } from '../operation.ts'

export const CreateApiMapping = Exact({ apiId: Text(64, 1), apiMappingKey: Maybe(Text(300)), stage: Text(128, 1) })
export const UpdateApiMapping = Exact({
  apiId: Text(64, 1),
  apiMappingKey: Maybe(Text(300)),
  stage: Maybe(Text(128, 1)),
})

export const ApiMapping = Exact({
  apiId: Type.String(),
  apiMappingId: Type.String(),
  apiMappingKey: Type.String(),
  stage: Type.String(),
})

export const MappingPath = Exact({ DomainName: Text(512), ApiMappingId: Text(64) })
