/** Actions as people write them for Auth0, unchanged, through real sign-ins, against a server of this machine. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { startUpstream } from '../actions/outside/test-upstream.ts'
import { createWorld, openBrowser, PASSWORD, payloadOf, toldClient } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

const SIGNING = 'signing-secret-of-32-characters!!'

const upstream = await startUpstream((seen, response) => {
  const json = (value: unknown, status = 200) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    return true
  }
  if (seen.path === '/silent') return true
  if (seen.path === '/slack') {
    response.writeHead(500).end('no_service')
    return true
  }
  if (seen.path.startsWith('/crm/accounts')) return json({ data: [{ id: 'acc_7', plan: { name: 'gold' } }] })
  if (seen.path === '/risk') return json({ score: 12, allowed: true }, 201)
  if (seen.path.startsWith('/ip/')) return json({ country_code: 'CH', city: 'Zürich' })
  if (seen.path === '/oauth/token') return json({ access_token: 'm2m-token', expires_in: 86400 })
  if (seen.path.startsWith('/api/v2/users/'))
    return seen.headers.authorization === 'Bearer m2m-token' ? json([{ name: 'owner' }]) : json({}, 401)
  if (seen.path === '/webhook') {
    const expected = createHmac('sha256', SIGNING).update(seen.body).digest('hex')
    return json({ valid: seen.headers['x-signature'] === `sha256=${expected}` })
  }
  return undefined
})

let identity: TestIdentity
before(async () => {
  identity = await startIdentity({ egress: createEgress({ allow: ['127.0.0.0/8'] }) })
})
after(() => identity.close())

interface Written {
  code: string
  dependencies?: { name: string; version: string }[]
}

async function bind(world: Awaited<ReturnType<typeof createWorld>>, actions: Record<string, Written>) {
  const secrets = Object.entries({ BASE: upstream.base, API_KEY: 'key-of-the-crm', SIGNING, CLIENT_SECRET: 'shh-m2m' })
  const bindings: object[] = []
  for (const [name, written] of Object.entries(actions)) {
    const { id } = await world.make('/actions/actions', {
      name,
      supported_triggers: [{ id: 'post-login', version: 'v3' }],
      runtime: 'node22',
      secrets: secrets.map(([name, value]) => ({ name, value })),
      deploy: true,
      ...written,
    })
    bindings.push({ ref: { type: 'action_id', value: id } })
  }
  const bound = await world.env.manage('PATCH', '/actions/triggers/post-login/bindings', { bindings })
  assert.equal(bound.status, 200, bound.text)
}

const actions: Record<string, Written> = {
  'Enrich from the CRM': {
    dependencies: [{ name: 'axios', version: '1.7.2' }],
    code: `const axios = require("axios").default;

/**
* Handler that will be called during the execution of a PostLogin flow.
*/
exports.onExecutePostLogin = async (event, api) => {
  const { data } = await axios.get(\`\${event.secrets.BASE}/crm/accounts\`, {
    params: { email: event.user.email },
    headers: { 'X-Api-Key': event.secrets.API_KEY },
    timeout: 3000,
  });
  const [account] = data.data;
  if (account) {
    api.user.setAppMetadata("crm_id", account.id);
    api.idToken.setCustomClaim("https://example.com/plan", account.plan.name);
  }
};`,
  },
  'Ask the risk engine': {
    dependencies: [{ name: 'node-fetch', version: '2.6.7' }],
    code: `const fetch = require('node-fetch');
exports.onExecutePostLogin = async (event, api) => {
  const response = await fetch(event.secrets.BASE + '/risk', {
    method: 'POST',
    body: JSON.stringify({ user: event.user.user_id, ip: event.request.ip }),
    headers: { 'Content-Type': 'application/json' },
    timeout: 2000,
  });
  if (!response.ok) return api.access.deny('risk engine: ' + response.status);
  const { allowed, score } = await response.json();
  if (!allowed) api.access.deny('Too risky.');
  api.accessToken.setCustomClaim('https://example.com/risk', score);
};`,
  },
  'Sign a webhook': {
    code: `const crypto = require('crypto');
exports.onExecutePostLogin = async (event, api) => {
  const body = JSON.stringify({ type: 'login', sub: event.user.user_id });
  const signature = crypto.createHmac('sha256', event.secrets.SIGNING).update(body).digest('hex');
  const res = await fetch(\`\${event.secrets.BASE}/webhook\`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-signature': \`sha256=\${signature}\` }, body
  });
  const { valid } = await res.json();
  api.idToken.setCustomClaim('https://example.com/webhook', valid);
};`,
  },
  'Roles by lodash': {
    dependencies: [{ name: 'lodash', version: '4.17.21' }],
    code: `const _ = require('lodash');
exports.onExecutePostLogin = async (event, api) => {
  const groups = _.uniq(_.compact(_.get(event, 'user.app_metadata.groups', ['a', '', 'a', 'b'])));
  if (!_.isEmpty(groups)) api.idToken.setCustomClaim('https://example.com/groups', _.sortBy(groups));
};`,
  },
  'A token of the Management API': {
    code: `exports.onExecutePostLogin = async (event, api) => {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'abc', client_secret: event.secrets.CLIENT_SECRET });
  const token = await fetch(event.secrets.BASE + '/oauth/token', { method: 'POST', body }).then((r) => r.json());
  const url = new URL(\`/api/v2/users/\${encodeURIComponent(event.user.user_id)}/roles\`, event.secrets.BASE);
  url.searchParams.set('per_page', '5');
  const roles = await fetch(url, { headers: { Authorization: \`Bearer \${token.access_token}\` } }).then((r) => r.json());
  api.accessToken.setCustomClaim('https://example.com/roles', roles.map((role) => role.name));
};`,
  },
  'Decode what is in base64': {
    code: `exports.onExecutePostLogin = async (event, api) => {
  const encoded = event.user.user_metadata.legacy || 'eyJvbGRfaWQiOjQyfQ==';
  const { old_id } = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
  api.idToken.setCustomClaim('https://example.com/old_id', old_id);
  api.idToken.setCustomClaim('https://example.com/basic', Buffer.from(\`\${old_id}:x\`).toString('base64'));
};`,
  },
  'Tell Slack, if it is there': {
    dependencies: [{ name: 'axios', version: 'latest' }],
    code: `const axios = require('axios');
exports.onExecutePostLogin = async (event, api) => {
  try {
    await axios.post(event.secrets.BASE + '/slack', { text: \`:wave: \${event.user.email} signed in\` });
  } catch (err) {
    console.log('slack', err.response && err.response.status, err.message);
    api.idToken.setCustomClaim('https://example.com/slack', err.response ? err.response.status : 'none');
  }
};`,
  },
  'Where the address is': {
    code: `exports.onExecutePostLogin = async (event, api) => {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), 2000);
  try {
    const geo = await (await fetch(\`\${event.secrets.BASE}/ip/\${event.request.ip}\`, { signal: controller.signal })).json();
    if (['KP'].includes(geo.country_code)) api.access.deny('Not from there.');
    api.idToken.setCustomClaim('https://example.com/geo', \`\${geo.city}, \${geo.country_code}\`);
  } finally {
    clearTimeout(timer);
  }
};`,
  },
  'A correlation id': {
    dependencies: [{ name: 'uuid', version: '9.0.1' }],
    code: `const { v4: uuidv4, validate } = require('uuid');
const querystring = require('querystring');
exports.onExecutePostLogin = async (event, api) => {
  const id = uuidv4();
  api.idToken.setCustomClaim('https://example.com/correlation', [validate(id), querystring.stringify({ id: 1, q: 'a b' })]);
};`,
  },
  'Go on without a slow service': {
    code: `exports.onExecutePostLogin = async (event, api) => {
  const result = await Promise.race([
    fetch(event.secrets.BASE + '/silent', { signal: AbortSignal.timeout(300) }).then(() => 'answered', (e) => e.name),
    new Promise((resolve) => setTimeout(resolve, 5000, 'late')),
  ]);
  api.idToken.setCustomClaim('https://example.com/slow', result);
};`,
  },
}

test('ten Actions of every day, one after the other in one sign-in, do what they do at Auth0', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  await bind(world, actions)
  const tokens = await world.tokens(anna, { organization: acme })
  const own = (claims: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(claims).flatMap(([name, value]) =>
        name.startsWith('https://example.com/') ? [[name.slice('https://example.com/'.length), value]] : [],
      ),
    )
  assert.deepEqual(own(payloadOf(tokens.id_token)), {
    plan: 'gold',
    webhook: true,
    groups: ['a', 'b'],
    old_id: 42,
    basic: 'NDI6eA==',
    slack: 500,
    geo: 'Zürich, CH',
    correlation: [true, 'id=1&q=a%20b'],
    slow: 'TimeoutError',
  })
  assert.deepEqual(own(payloadOf(tokens.access_token)), { risk: 12, roles: ['owner'] })
  const user = await world.env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}`)
  assert.deepEqual(user.json.app_metadata, { crm_id: 'acc_7' })
  const seen = Object.fromEntries(upstream.seen.map((one) => [one.path, one]))
  assert.equal(seen['/crm/accounts?email=anna%40example.test']!.headers['x-api-key'], 'key-of-the-crm')
  assert.equal(seen['/oauth/token']!.headers['content-type'], 'application/x-www-form-urlencoded;charset=UTF-8')
  assert.equal(seen['/oauth/token']!.body, 'grant_type=client_credentials&client_id=abc&client_secret=shh-m2m')
  assert.equal(seen['/slack']!.body, '{"text":":wave: anna@example.test signed in"}')
  for (const secret of ['key-of-the-crm', SIGNING, 'shh-m2m', 'm2m-token'])
    assert.ok(!identity.logLines.join('').includes(secret))
})

test('an Action sends the user away with a token of jsonwebtoken and reads the one that comes back', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  await bind(world, {
    'Ask for consent': {
      dependencies: [{ name: 'jsonwebtoken', version: '^9.0.0' }],
      code: `const jwt = require('jsonwebtoken');
exports.onExecutePostLogin = async (event, api) => {
  const token = jwt.sign({ sub: event.user.user_id, email: event.user.email }, event.secrets.SIGNING, { expiresIn: '5m' });
  api.redirect.sendUserTo('https://consent.example.com/ask', { query: { token } });
};
exports.onContinuePostLogin = async (event, api) => {
  const { sub, ok } = jwt.verify(event.request.query.answer, event.secrets.SIGNING, { algorithms: ['HS256'] });
  if (sub !== event.user.user_id || !ok) return api.access.deny('No consent.');
  api.idToken.setCustomClaim('https://example.com/consent', true);
};`,
    },
  })
  const browser = openBrowser(world.env)
  const { path, verifier } = world.authorize({ organization: acme })
  const page = await browser.follow(await browser.visit(path))
  const away = await browser.follow(await browser.submit(page, { username: anna.email, password: PASSWORD }))
  const href = /href="(https:\/\/consent\.example\.com[^"]+)"/.exec(away.text)
  const asked = new URL(away.headers.location ?? href![1]!.replaceAll('&amp;', '&'))
  assert.equal(asked.origin + asked.pathname, 'https://consent.example.com/ask')
  const claims = payloadOf(asked.searchParams.get('token')!)
  assert.deepEqual([claims.sub, claims.email, claims.exp - claims.iat], [anna.user_id, anna.email, 300])
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${encode({ alg: 'HS256' })}.${encode({ sub: anna.user_id, ok: true })}`
  const answer = `${signed}.${createHmac('sha256', SIGNING).update(signed).digest('base64url')}`
  const back = await browser.visit(`/continue?state=${asked.searchParams.get('state')}&answer=${answer}`)
  const { code } = toldClient(back)
  const tokens = (await world.exchange(code!, verifier)).json
  assert.equal(payloadOf(tokens.id_token)['https://example.com/consent'], true)
})

test('N19 a sign-in whose Action calls into a private network is refused, and the log says what to allow', async () => {
  const strict = await startIdentity()
  try {
    const world = await createWorld(strict)
    const acme = await world.organization('acme')
    const anna = await world.person('anna@example.test', { organization: acme })
    await bind(world, {
      'Call home': {
        code: `exports.onExecutePostLogin = async (event) => { await fetch(event.secrets.BASE + '/home') }`,
      },
    })
    const browser = openBrowser(world.env)
    const page = await browser.follow(await browser.visit(world.authorize({ organization: acme }).path))
    const refused = await browser.submit(page, { username: anna.email, password: PASSWORD })
    assert.equal(refused.status, 403)
    assert.match(refused.text, /<dt>Reason<\/dt><dd>action_failed<\/dd>/)
    assert.doesNotMatch(refused.text, /TENANTRY_ACTIONS_EGRESS_ALLOW/)
    assert.match(
      strict.logLines.join(''),
      /fetch failed: the address cannot be called: .*TENANTRY_ACTIONS_EGRESS_ALLOW/,
    )
    assert.ok(!upstream.seen.some(({ path }) => path === '/home'))
  } finally {
    await strict.close()
  }
})
