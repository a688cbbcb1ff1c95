import { describe, expect, test } from '@jest/globals'
import { definition } from '../../actions/smoke-test/src/definition.ts'
import { type InputValues, inputSecrets, inputVariable, readInputs } from '../../src/runner/inputs.ts'

const variables = (inputs: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(inputs).map(([name, value]) => [inputVariable(name), value]))
const read = (inputs: Record<string, string>): InputValues<typeof definition.inputs> =>
  readInputs(definition.inputs, variables(inputs), definition.check)
const secretsOf = (inputs: Record<string, string>): readonly string[] => inputSecrets(definition.inputs, variables(inputs))
const url = 'https://example.com/health'

describe('the inputs of smoke-test', () => {
  test('have defaults for all but the address', () => {
    const values = read({ url })
    expect({ ...values, url: values.url?.href }).toEqual({
      url,
      checks: '',
      status: [['200']],
      'body-contains': [],
      json: [],
      header: [],
      version: '',
      'version-from': { kind: 'json', path: ['version'] },
      consecutive: 1,
      timeout: 120_000,
      interval: 2_000,
      'on-unreachable': 'failed',
      'on-inconclusive': 'fail',
      verifies: '',
      kubeconfig: '',
      context: '',
    })
  })

  test.each<[Record<string, string>, string]>([
    [{}, 'url: give url, checks, or both'],
    [{ checks: 'c.yml', json: '.a=1' }, 'json: is of the one request to url'],
    [{ url: 'example.com' }, 'url: is no URL'],
    [{ url: 'ftp://example.com' }, 'url: the scheme ftp:// is not supported'],
    [{ url: 'file:///etc/passwd' }, 'url: the scheme file:// is not supported'],
    [{ url: 'http://' }, 'url: is no URL that can be read'],
    [{ url: 'http://a b/' }, 'url: is no URL that can be read'],
    [{ url: 'https://user:word@example.com/' }, 'url: has credentials in it; take them out and use the input header'],
    [{ url: 'https://token@example.com/' }, 'url: has credentials in it'],
    [{ url, status: 'ok' }, 'status: "ok" is no HTTP status'],
    [{ url, status: '200\n999' }, 'status: "999" is no HTTP status'],
    [{ url, json: '.a=1\nversion' }, 'json: "version" has no ='],
    [{ url, header: 'Accept' }, 'header: an entry has no colon'],
    [{ url, header: ': x' }, 'header: an entry has no header name'],
    [{ url, header: 'A b: x' }, 'header: an entry has no header name'],
    [{ url, header: 'Authorization:' }, 'header: Authorization has no value; is the secret it comes from set?'],
    [{ url, header: 'Connection: keep-alive' }, 'header: Connection is set by smoke-test itself'],
    [{ url, header: 'X-Name: ж' }, 'header: the value of X-Name has characters that no header can carry'],
    [{ url, 'version-from': 'version' }, 'version-from: "version" is none of'],
    [{ url, consecutive: '0' }, 'consecutive: "0"'],
    [{ url, consecutive: '1001' }, 'consecutive: "1001"'],
    [{ url, timeout: '0s' }, 'timeout: "0s" is less than'],
    [{ url, timeout: '2 minutes' }, 'timeout: "2 minutes" is no duration'],
    [{ url, interval: '1ms' }, 'interval: "1ms" is less than'],
    [{ url, 'on-unreachable': 'fail' }, 'on-unreachable: "fail" is none of failed, inconclusive; did you mean failed?'],
    [{ url, 'on-inconclusive': 'pass' }, 'on-inconclusive: "pass" is none of'],
    [{ url, verifies: 'web/7' }, 'verifies: "web/7" is no release'],
    [{ url, verifies: 'ecs://prod/web' }, 'verifies: "ecs://prod/web" is no release\'s address'],
  ])('%j is wrong: %s', (inputs, fault) => {
    expect(() => read(inputs)).toThrow(fault)
  })

  test('all that is wrong is said at once', () => {
    const wrong = { url: 'ftp://x', status: '1', json: 'a', header: 'b', consecutive: 'c', timeout: 'd', verifies: 'e' }
    expect(() => read(wrong)).toThrow(
      /^7 inputs are wrong; nothing was changed\..* url: .* status: .* json: .* header: .* consecutive: .* timeout: .* verifies: /,
    )
  })

  test('a fault never repeats a secret', () => {
    const secret = 'hunter2hunter2'
    for (const inputs of [
      { url: `https://user:${secret}@example.com/` },
      { url: `htp://user:${secret}@example.com/` },
      { url: `user:${secret}@example.com` },
      { url, header: `${secret}` },
      { url, header: `X y: ${secret}` },
      { url, header: `Authorization: ${secret}\u0000` },
    ]) {
      expect(() => read(inputs)).toThrow(expect.objectContaining({ message: expect.not.stringContaining(secret) }))
    }
  })

  test.each([
    ['Authorization: Bearer abc.def', ['Bearer abc.def', 'abc.def']],
    ['authorization: Basic dTpw', ['Basic dTpw', 'dTpw']],
    ['Cookie: session=1234', ['session=1234']],
    ['X-Api-Key: 0123456789', ['0123456789']],
    ['X-Auth-Token: t0k', ['t0k']],
    ['Accept: text/plain', []],
    ['Host: web.example.com', []],
  ])('%s is masked: %j', (header, secrets) => {
    expect(secretsOf({ url, header })).toEqual(secrets)
  })

  test('values of the query that look secret are masked, plain and as they are written', () => {
    expect(secretsOf({ url: 'https://example.com/?page=1&token=a%2Fb' })).toEqual(['a/b', 'a%2Fb'])
  })

  test.each([
    ['https://user:word@example.com/', ['word']],
    ['https://t0ken@example.com/', ['t0ken']],
    ['htp://user:word@example.com/', ['word']],
    ['https://example.com/@home', []],
  ])('%s is refused or not, but %j is masked', (given, secrets) => {
    expect(secretsOf({ url: given })).toEqual(secrets)
  })

  test('a fragment is dropped: it is never sent', () => {
    expect(read({ url: `${url}#top` }).url?.href).toBe(url)
  })
})
