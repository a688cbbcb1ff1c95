// The built smoke-test against a real nginx: TLS with certificates made for the test, HTTP/2, compression, limits and an upstream that is away.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { installMissing } from '../../sandbox/packages.ts'
import { makeCertificate } from '../checks/self-signed.ts'
import { type ActionResult, runAction } from '../harness/run-action.ts'

jest.setTimeout(120_000)

const NGINX = '/usr/sbin/nginx'
const SITES = ['good', 'expired', 'other', 'chainless', 'plain'] as const
type Site = (typeof SITES)[number]

const folder = mkdtempSync(join(tmpdir(), 'nginx-'))
const workspace = join(folder, 'workspace')
const ports = {} as Record<Site, number>
let nginx: ChildProcess

/** A port that is free now: nginx can't be told to take any. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

beforeAll(async () => {
  await installMissing('nginx', [{ provides: NGINX, package: 'nginx-light' }])
  const root = makeCertificate({ name: 'Test Root', authority: true, days: 100 })
  const middle = makeCertificate({ name: 'Test Middle', issuer: root, authority: true, days: 50 })
  for (const name of ['workspace', 'www', 'tmp']) mkdirSync(join(folder, name), { recursive: true })
  writeFileSync(join(folder, 'www/index.html'), JSON.stringify({ status: 'ok', padding: 'x'.repeat(5_000) }))
  writeFileSync(join(workspace, 'ca.pem'), root.cert)
  for (const site of SITES) ports[site] = await freePort()
  const secure = (site: Site, name: string, days: number, chain = true): string => {
    const { key, cert } = makeCertificate({ name, issuer: middle, days })
    writeFileSync(join(folder, `${site}.key`), key)
    writeFileSync(join(folder, `${site}.pem`), chain ? cert + middle.cert : cert)
    return `server {
      listen 127.0.0.1:${ports[site]} ssl http2;
      ssl_certificate ${folder}/${site}.pem; ssl_certificate_key ${folder}/${site}.key;
      root ${folder}/www;
    }`
  }
  const away = await freePort()
  writeFileSync(
    join(folder, 'nginx.conf'),
    // Its workers would else be another user, who may not look into our folder.
    `${process.getuid?.() === 0 ? 'user root;' : ''} error_log ${folder}/error.log; pid ${folder}/nginx.pid; events {}
    http {
      access_log off; gzip on; gzip_types application/json; client_max_body_size 10; default_type application/json;
      client_body_temp_path ${folder}/tmp/a; proxy_temp_path ${folder}/tmp/b; fastcgi_temp_path ${folder}/tmp/c; uwsgi_temp_path ${folder}/tmp/d; scgi_temp_path ${folder}/tmp/e;
      ${secure('good', '127.0.0.1', 30)} ${secure('expired', '127.0.0.1', -2)} ${secure('other', 'web.example.com', 30)} ${secure('chainless', '127.0.0.1', 30, false)}
      server {
        listen 127.0.0.1:${ports.plain}; root ${folder}/www;
        location /away { proxy_pass http://127.0.0.1:${away}; }
        location /circle { return 302 /circle; }
        location /drop { return 444; }
      }
    }`,
  )
  nginx = spawn(NGINX, ['-p', folder, '-c', join(folder, 'nginx.conf'), '-g', 'daemon off;'], { stdio: 'inherit' })
  for (let tries = 0; tries < 100; tries++) {
    const up = await fetch(`http://127.0.0.1:${ports.plain}/`).then(
      answer => answer.ok,
      () => false,
    )
    if (up) return
    await delay(100)
  }
  throw new Error('nginx did not come up')
})
afterAll(async () => {
  if (nginx !== undefined && nginx.exitCode === null) {
    nginx.kill('SIGQUIT')
    await once(nginx, 'exit')
  }
  rmSync(folder, { recursive: true, force: true })
})

const check = (step: string): Promise<ActionResult> => {
  const placed = step.replace(/:(good|expired|other|chainless|plain)\b/g, (_, site: Site) => `:${ports[site]}`)
  writeFileSync(join(workspace, 'checks.yml'), `smoke:\n  timeout: 5s\n  steps:\n    - ${placed}\n`)
  return runAction({ action: 'smoke-test', inputs: { checks: 'checks.yml' }, workspace })
}

describe('nginx', () => {
  test.each<[step: string, reason: string, says: string]>([
    ['{get: "https://127.0.0.1:good/", tls: {ca: ca.pem}, expect: {json: {.status: ok}}}', '', '1 check passed'],
    ['{get: "https://127.0.0.1:good/", tls: {ca: ca.pem}, http2: true, expect: {json: {.status: ok}}}', '', '1 check passed'],
    [
      '{get: "https://127.0.0.1:good/", tls: {ca: ca.pem}, headers: {Accept-Encoding: gzip}, expect: {headers: {content-encoding: gzip}, json: {.status: ok}}}',
      '',
      '1 check passed',
    ],
    ['{get: "https://127.0.0.1:good/"}', 'Certificate', 'not trusted'],
    ['{get: "https://127.0.0.1:expired/", tls: {ca: ca.pem}}', 'Certificate', 'has expired'],
    ['{get: "https://127.0.0.1:other/", tls: {ca: ca.pem}}', 'Certificate', 'for another name'],
    ['{get: "https://127.0.0.1:chainless/", tls: {ca: ca.pem}}', 'Certificate', 'chain is incomplete'],
    ['{get: "https://127.0.0.1:plain/"}', 'NotTls', 'speaks no TLS'],
    ['{get: "http://127.0.0.1:good/"}', 'WrongStatus', 'came 400'],
    ['{tls: "127.0.0.1:good", ca: ca.pem, expect: {days-left: 14}}', '', '1 check passed'],
    ['{tls: "127.0.0.1:good", ca: ca.pem, expect: {days-left: 45}}', 'Certificate', '45 days left, came 29 days'],
    ['{tls: "127.0.0.1:expired", ca: ca.pem}', 'Certificate', 'it expired on'],
    ['{tls: "127.0.0.1:chainless", ca: ca.pem}', 'Certificate', 'chain is incomplete'],
    ['{get: "http://127.0.0.1:plain/away", failure-limit: 1}', 'WrongStatus', 'came 502'],
    ['{get: "http://127.0.0.1:plain/circle", failure-limit: 0}', 'WrongRedirect', 'more than 5 times'],
    ['{get: "http://127.0.0.1:plain/drop", failure-limit: 0}', 'NoAnswer', 'closed the connection'],
    ['{put: "http://127.0.0.1:plain/", body: more than ten bytes}', 'WrongStatus', 'came 413'],
  ])('%s: %s', async (step, reason, says) => {
    const { outputs, conclusion } = await check(step)
    expect(outputs['message']).toContain(says)
    expect({ conclusion, reason: outputs['reason'] }).toEqual({ conclusion: reason === '' ? 'success' : 'failure', reason })
  })
})
