import type { FunctionArn } from '../arn.ts'
import type { FunctionConfig } from './configuration.ts'

/**
 * Everything that a function's process sees of an environment. Written anew, never derived from the gateway's: that one
 * holds the keys and passwords of all tenants.
 *
 * @param arn the function was first invoked by
 * @param stream tells the processes of a function apart
 */
export const environmentOf = (config: FunctionConfig, arn: FunctionArn, stream: string): Record<string, string> => ({
  PATH: '/usr/local/bin:/usr/bin:/bin',
  LANG: 'en_US.UTF-8',
  TZ: ':UTC',
  AWS_REGION: arn.region,
  AWS_DEFAULT_REGION: arn.region,
  ...config.environment,
  AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
  AWS_LAMBDA_FUNCTION_NAME: config.name,
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(config.memoryMb),
  AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
  AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${config.name}`,
  AWS_LAMBDA_LOG_STREAM_NAME: stream,
  LAMBDA_TASK_ROOT: config.directory,
  _HANDLER: `${config.file.slice(config.directory.length + 1).replace(/\.[^./]+$/, '')}.${config.handlerName}`,
})
