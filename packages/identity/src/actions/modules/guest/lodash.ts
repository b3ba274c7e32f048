import lodash from 'lodash'

export const modules = { lodash }
