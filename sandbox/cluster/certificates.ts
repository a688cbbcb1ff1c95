// The one-node cluster's certificate authority, certificates, keys and kubeconfigs.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun } from '../command.ts'
import { writeWhole } from '../state.ts'

interface Certificate {
  name: string
  subject: string
  /** Alternative names in openssl's spelling; none for a client. */
  names?: string
}

const certificates: Certificate[] = [
  {
    name: 'apiserver',
    subject: '/CN=kube-apiserver',
    names: 'IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc',
  },
  { name: 'admin', subject: '/O=system:masters/CN=admin' },
  { name: 'controller-manager', subject: '/CN=system:kube-controller-manager' },
  { name: 'scheduler', subject: '/CN=system:kube-scheduler' },
  { name: 'proxy', subject: '/CN=system:kube-proxy' },
  { name: 'kubelet', subject: '/O=system:nodes/CN=system:node:node-1', names: 'IP:10.243.0.1,DNS:node-1,DNS:localhost' },
]

const days = '3650'
const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Makes whatever is missing in `folder`; leaves what is there. */
export async function makeCertificates(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const at = (file: string): string => join(folder, file)
  if (!existsSync(at('ca.crt')))
    await mustRun([
      'openssl',
      'req',
      '-x509',
      ...ec,
      '-days',
      days,
      '-subj',
      '/CN=deploy-actions-sandbox',
      '-keyout',
      at('ca.key'),
      '-out',
      at('ca.crt'),
    ])
  await Promise.all(
    certificates.map(async ({ name, subject, names }, index) => {
      if (existsSync(at(`${name}.crt`))) return
      await mustRun(['openssl', 'req', ...ec, '-subj', subject, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)])
      writeFileSync(at(`${name}.ext`), `subjectAltName=${names ?? `DNS:${name}`}\nextendedKeyUsage=serverAuth,clientAuth\n`)
      const signed = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-set_serial', String(index + 2), '-days', days]
      await mustRun([
        'openssl',
        'x509',
        '-req',
        '-in',
        at(`${name}.csr`),
        ...signed,
        '-extfile',
        at(`${name}.ext`),
        '-out',
        at(`${name}.crt`),
      ])
    }),
  )
  if (!existsSync(at('sa.pub'))) {
    await mustRun(['openssl', 'genrsa', '-out', at('sa.key'), '2048'])
    await mustRun(['openssl', 'rsa', '-in', at('sa.key'), '-pubout', '-out', at('sa.pub')])
  }
}

/** Writes the kubeconfig of one of the certificates' owners. */
export function writeKubeconfig(path: string, name: string, server: string, folder: string): void {
  const base64 = (file: string): string => readFileSync(join(folder, file)).toString('base64')
  writeWhole(
    path,
    `apiVersion: v1
kind: Config
clusters: [{name: sandbox, cluster: {server: "${server}", certificate-authority-data: ${base64('ca.crt')}}}]
users: [{name: ${name}, user: {client-certificate-data: ${base64(`${name}.crt`)}, client-key-data: ${base64(`${name}.key`)}}}]
contexts: [{name: sandbox, context: {cluster: sandbox, user: ${name}}}]
current-context: sandbox
`,
  )
  chmodSync(path, 0o600)
}
