// That a wrong answer would be noticed, and what the slice makes of the description.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { asJsonSchema, cutSlice, type Slice, slicePath } from '../../../scripts/openapi-slice.ts'
import { answerFaults } from './openapi.ts'

const slice = JSON.parse(readFileSync(slicePath, 'utf8')) as Slice
const label = { id: 1, node_id: 'x', url: 'https://example.com', name: 'a', description: null, color: 'ededed', default: false }
const user = Object.fromEntries(
  ['avatar', 'followers', 'html', 'organizations', 'received_events', 'repos', 'subscriptions'].map(one => [
    `${one}_url`,
    'https://example.com',
  ]),
)
const comment = {
  id: 1,
  node_id: 'x',
  html_url: 'https://example.com',
  issue_url: 'https://example.com',
  url: 'https://example.com',
  user: null as unknown,
  created_at: '2026-03-02T12:00:00Z',
  updated_at: '2026-03-02T12:00:00Z',
  body: 'x',
}
const faultsOf = (answer: unknown, { sent = '{"body":"x"}', status = 201, path = '/repos/a/b/issues/1/comments' } = {}) =>
  answerFaults(slice, 'POST', path, sent, status, answer)

describe('answerFaults', () => {
  test('finds nothing in a right answer', () => {
    expect(faultsOf(comment)).toEqual({ call: 'issues/create-comment', found: [] })
  })

  test.each([
    ['a missing field', { ...comment, url: undefined }, /required property 'url'/],
    ['a misspelt field', { ...comment, autor: 'x' }, /additional.*autor/],
    ['a wrong type', { ...comment, id: '1' }, /\/id must be integer/],
    ['an address that is none', { ...comment, url: 'issues/1' }, /\/url must match format "uri"/],
    ['a time that is none', { ...comment, created_at: 'yesterday' }, /\/created_at must match format "date-time"/],
    ['a fault further down', { ...comment, user: { ...user, login: 'jo' } }, /\/user .*required/],
  ])('finds %s', (_, answer, fault) => {
    expect(faultsOf(JSON.parse(JSON.stringify(answer))).found.join('\n')).toMatch(fault)
  })

  test('finds a wrong request, a status and a path that are not described', () => {
    expect(faultsOf(comment, { sent: '{"text":"x"}' }).found.join('\n')).toMatch(/request .*'body'/)
    expect(faultsOf(comment, { status: 202 }).found).toEqual(['issues/create-comment: the description has no answer 202'])
    expect(faultsOf(label, { path: '/repos/a/b/labels' }).found).toEqual(['POST /repos/a/b/labels is not in the description'])
  })
})

describe('the slice', () => {
  test.each([
    [{ type: 'string', nullable: true, description: 'prose' }, { anyOf: [{ type: 'string' }, { type: 'null' }] }],
    [{ $ref: '#/components/schemas/label' }, { $ref: 'label' }],
    [{ properties: { description: { type: 'string', example: 'x' } } }, { properties: { description: { type: 'string' } } }],
  ])('%j becomes %j', (schema, expected) => expect(asJsonSchema(schema)).toEqual(expected))

  test('is not cut from a description that lacks a call', () => {
    expect(() => cutSlice({ paths: {}, info: { version: '1' } })).toThrow(/has no repos\/get, /)
  })
})
