/** A run of its own, so that nothing else disturbs it. */
import './tenancy/move.ts'
