import * as uuid from 'uuid'

// A plain object, as code expects that takes it apart or replaces one of its functions in a test.
export const modules = { uuid: { ...uuid } }
