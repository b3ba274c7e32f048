export { inScope, onceInScope, type Scope, type Tx } from './transaction.ts'
