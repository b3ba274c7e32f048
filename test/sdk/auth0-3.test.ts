/** Version 3, which gets its token with a JSON body and answers with bare values. */
import { legacySuite } from './auth0-2-3/suite.ts'

legacySuite(3)
