import { PrismaPg } from '@prisma/adapter-pg'
import express from 'express'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { PrismaClient } from './client/client.ts'

const issuer = process.env.ISSUER
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }) })

const keys = createRemoteJWKSet(new URL('.well-known/jwks.json', issuer))
const authenticate = async (request, response, next) => {
  const token = request.headers.authorization?.replace(/^Bearer /i, '') ?? ''
  const verified = await jwtVerify(token, keys, { issuer, audience: 'https://shop.example' }).catch(() => undefined)
  if (!verified) return response.status(401).json({ message: 'A token, please.' })
  request.companyId = verified.payload.org_id
  next()
}

const app = express().use(authenticate, express.json())

app.get('/contacts', async ({ companyId }, response) => {
  response.json(await prisma.contact.findMany({ where: { companyId } }))
})
app.post('/contacts', async ({ companyId, body: { name, email } }, response) => {
  response.status(201).json(await prisma.contact.create({ data: { companyId, name, email } }))
})
app.get('/contacts/:id', async ({ params }, response) => {
  const contact = await prisma.contact.findUnique({ where: { id: params.id }, include: { orders: true } })
  if (!contact) return response.status(404).json({ message: 'There is no such contact.' })
  response.json(contact)
})
app.get('/orders', async (_request, response) => {
  response.json(await prisma.order.findMany({ include: { contact: true } }))
})
app.post('/orders', async ({ companyId, body: { contactId, product } }, response) => {
  response.status(201).json(await prisma.order.create({ data: { companyId, contactId, product } }))
})
app.delete('/orders/:id', async ({ params }, response) => {
  const { count } = await prisma.order.deleteMany({ where: { id: params.id } })
  response.status(count === 1 ? 204 : 404).end()
})

app.use((error, _request, response, _next) => {
  const isRefused = ['P2002', 'P2003', 'P2025'].includes(error.code)
  response.status(isRefused ? 409 : 500).json({ message: isRefused ? 'That does not fit.' : 'Something went wrong.' })
})
app.listen(Number(process.env.PORT))
