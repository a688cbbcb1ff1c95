// A real one-node Kubernetes cluster as plain processes of this machine, as root: etcd, the control plane, containerd, kubelet, kube-proxy.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { busybox, busyboxRequirement } from '../busybox.ts'
import { findProgram, mustRun, run } from '../command.ts'
import { bootId } from '../identity.ts'
import { mountsUnder } from '../mounts.ts'
import { installMissing, type Requirement } from '../packages.ts'
import { accepts, isRunning, remove, start } from '../processes.ts'
import { say, seconds, sleep } from '../progress.ts'
import { statePath, writeWhole } from '../state.ts'
import { makeCertificates, writeKubeconfig } from './certificates.ts'
import { kubernetesMinor, kubernetesProgram, provideHyperkube } from './hyperkube.ts'

export const clusterRequirements: Requirement[] = [
  { provides: 'etcd', package: 'etcd-server' },
  { provides: 'containerd', package: 'containerd' },
  { provides: 'ctr', package: 'containerd' },
  { provides: 'runc', package: 'runc' },
  { provides: '/usr/lib/cni/bridge', package: 'containernetworking-plugins' },
  { provides: 'iptables', package: 'iptables' },
  { provides: 'conntrack', package: 'conntrack' },
  { provides: 'ip', package: 'iproute2' },
  { provides: 'openssl', package: 'openssl' },
  busyboxRequirement,
]

const path = (...parts: string[]): string => statePath('cluster', ...parts)
export const localKubeconfig = (): string => path('etc', 'admin.kubeconfig')
export const hasLocalState = (): boolean => existsSync(path('pki', 'ca.crt'))

const api = 'https://127.0.0.1:6443'
const podBridge = 'da-cni0'
/** The node's address lives on an interface of its own, for a kubelet takes no loopback address. */
const nodeInterface = 'da-node0'
const nodeAddress = '10.243.0.1'
const pauseImage = 'deploy-actions.local/pause:1'
const containerdSocket = (): string => path('containerd.sock')
const ctr = (...rest: string[]): string[] => ['ctr', '--address', containerdSocket(), '-n', 'k8s.io', ...rest]
const kubectl = (...rest: string[]): string[] => [kubernetesProgram('kubectl'), '--kubeconfig', localKubeconfig(), ...rest]

/** The order in which they are ended: first what would start containers again, last what others depend on. */
const controlPlane = ['kube-scheduler', 'kube-controller-manager', 'kube-apiserver', 'etcd']

export async function localUp(): Promise<void> {
  const begun = seconds()
  if (Buffer.byteLength(path('containerd.sock.ttrpc')) > 100)
    throw new Error(
      `the path of the state folder, ${statePath()}, is too long for sockets in it. Set SANDBOX_DIR to a shorter one`,
    )
  await Promise.all([installMissing('cluster', clusterRequirements), provideHyperkube()])
  if (!isRunning('kube-apiserver') && (await accepts(6443)))
    throw new Error('port 6443 of 127.0.0.1 is taken: another cluster is up on this machine. End it, or name it by KUBECONFIG')
  await forgetOtherBoot()
  const pki = path('pki')
  await Promise.all([
    start('cluster', {
      name: 'etcd',
      argv: [program('etcd'), '--data-dir', path('etcd'), ...etcdAddresses],
      ready: { http: 'http://127.0.0.1:2379/health' },
    }),
    makeCertificates(pki),
  ])
  for (const name of ['admin', 'controller-manager', 'scheduler', 'proxy', 'kubelet'])
    writeKubeconfig(path('etc', `${name}.kubeconfig`), name, api, pki)
  await Promise.all([startControlPlane(pki), startContainerd()])
  await prepareNetwork()
  await startNode(pki)
  await until('node-1 Ready', 90, kubectl('wait', '--for=condition=Ready', 'node/node-1', '--timeout=2s'))
  await until('the default service account', 30, kubectl('get', 'serviceaccount', 'default'))
  say('cluster', `ready in ${(seconds() - begun).toFixed(1)} s: one node of Kubernetes ${kubernetesMinor()} on ${api}`)
}

const program = (name: string): string => findProgram(name) ?? name

const etcdAddresses = [
  '--listen-client-urls=http://127.0.0.1:2379',
  '--advertise-client-urls=http://127.0.0.1:2379',
  '--listen-peer-urls=http://127.0.0.1:2380',
  '--initial-advertise-peer-urls=http://127.0.0.1:2380',
  '--initial-cluster=default=http://127.0.0.1:2380',
]

async function startControlPlane(pki: string): Promise<void> {
  await start('cluster', {
    name: 'kube-apiserver',
    argv: [
      kubernetesProgram('kube-apiserver'),
      '--etcd-servers=http://127.0.0.1:2379',
      '--bind-address=127.0.0.1',
      '--secure-port=6443',
      `--tls-cert-file=${pki}/apiserver.crt`,
      `--tls-private-key-file=${pki}/apiserver.key`,
      `--client-ca-file=${pki}/ca.crt`,
      '--authorization-mode=Node,RBAC',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--allow-privileged=true',
      `--service-account-issuer=${api}`,
      `--service-account-key-file=${pki}/sa.pub`,
      `--service-account-signing-key-file=${pki}/sa.key`,
      `--kubelet-client-certificate=${pki}/admin.crt`,
      `--kubelet-client-key=${pki}/admin.key`,
      `--kubelet-certificate-authority=${pki}/ca.crt`,
      '--kubelet-preferred-address-types=InternalIP',
      '--endpoint-reconciler-type=none',
    ],
    ready: { command: kubectl('get', '--raw', '/readyz') },
    readyWithin: 90,
  })
  const own = (name: string): string[] => [
    `--kubeconfig=${path('etc', `${name}.kubeconfig`)}`,
    `--authentication-kubeconfig=${path('etc', `${name}.kubeconfig`)}`,
    `--authorization-kubeconfig=${path('etc', `${name}.kubeconfig`)}`,
    '--bind-address=127.0.0.1',
    '--leader-elect=false',
  ]
  await start('cluster', {
    name: 'kube-controller-manager',
    argv: [
      kubernetesProgram('kube-controller-manager'),
      ...own('controller-manager'),
      `--service-account-private-key-file=${pki}/sa.key`,
      `--root-ca-file=${pki}/ca.crt`,
      '--use-service-account-credentials=true',
      '--allocate-node-cidrs=true',
      '--cluster-cidr=10.244.0.0/16',
    ],
  })
  await start('cluster', { name: 'kube-scheduler', argv: [kubernetesProgram('kube-scheduler'), ...own('scheduler')] })
}

function writeNetwork(): void {
  writeWhole(
    path('etc', 'cni', '10-bridge.conflist'),
    JSON.stringify({
      cniVersion: '0.4.0',
      name: 'deploy-actions',
      plugins: [
        {
          type: 'bridge',
          bridge: podBridge,
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            // So many that none is given twice: where another pod had the address before, the host asks for it at the old one's MAC address, and
            // finds no way to the new one for 8 seconds.
            ranges: [[{ subnet: '10.244.0.0/16' }]],
            routes: [{ dst: '0.0.0.0/0' }],
            dataDir: path('cni-ipam'),
          },
        },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    }),
  )
}

async function startContainerd(): Promise<void> {
  // It takes up a change at once, and refuses every new pod while the bridge has an address of before.
  if (!isRunning('containerd')) writeNetwork()
  // restrict_oom_score_adj: without CAP_SYS_RESOURCE runc dies of "can't get final child's PID from pipe: EOF".
  writeWhole(
    path('etc', 'containerd.toml'),
    `version = 2
root = "${path('containerd', 'root')}"
state = "${path('containerd', 'state')}"
[grpc]
  address = "${containerdSocket()}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${path('etc', 'cni')}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`,
  )
  await start('cluster', {
    name: 'containerd',
    argv: [program('containerd'), '--config', path('etc', 'containerd.toml')],
    ready: { command: ctr('version') },
    readyWithin: 30,
  })
  if (!(await mustRun(ctr('images', 'ls', '-q'))).includes(pauseImage)) await importPauseImage()
}

/** What holds a pod's namespaces. busybox does: the container runtime ends it by SIGKILL. */
async function importPauseImage(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'pause-image-'))
  try {
    mkdirSync(join(work, 'rootfs'))
    copyFileSync(busybox, join(work, 'rootfs', 'busybox'))
    await mustRun(['tar', '-C', join(work, 'rootfs'), '-cf', join(work, 'layer.tar'), 'busybox'])
    const digest = (await mustRun(['sha256sum', join(work, 'layer.tar')])).split(' ')[0]
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch
    const configuration = {
      architecture,
      os: 'linux',
      config: { Entrypoint: ['/busybox', 'sleep', '2147483647'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    }
    writeFileSync(join(work, 'config.json'), JSON.stringify(configuration))
    writeFileSync(
      join(work, 'manifest.json'),
      JSON.stringify([{ Config: 'config.json', RepoTags: [pauseImage], Layers: ['layer.tar'] }]),
    )
    await mustRun(['tar', '-C', work, '-cf', join(work, 'image.tar'), 'config.json', 'layer.tar', 'manifest.json'])
    await mustRun(ctr('images', 'import', join(work, 'image.tar')))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function prepareNetwork(): Promise<void> {
  if ((await run(['ip', 'link', 'show', nodeInterface])).code !== 0) {
    await mustRun(['ip', 'link', 'add', nodeInterface, 'type', 'bridge'])
    await mustRun(['ip', 'addr', 'add', `${nodeAddress}/32`, 'dev', nodeInterface])
  }
  await mustRun(['ip', 'link', 'set', nodeInterface, 'up'])
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
  await run(['modprobe', 'br_netfilter'])
  const filter = '/proc/sys/net/bridge/bridge-nf-call-iptables'
  if (existsSync(filter)) writeFileSync(filter, '1')
}

/**
 * A kubelet removes the cgroups of pods that it does not know: where there may be another one on the machine, for the state folder is not the usual
 * one, it has a root of its own.
 */
function ownCgroupRoot(): string | undefined {
  const folder = process.env['SANDBOX_DIR']
  return folder ? `/deploy-actions-${basename(resolve(folder))}` : undefined
}

const cgroupMount = '/sys/fs/cgroup'

/** One for each hierarchy; of version 2 there is one. */
function cgroupFolders(root: string): string[] {
  if (!existsSync(cgroupMount)) return []
  const hierarchies = existsSync(join(cgroupMount, 'cgroup.controllers')) ? [''] : readdirSync(cgroupMount)
  return hierarchies.map(hierarchy => join(cgroupMount, hierarchy, root))
}

/** Its files go with it, and cannot be removed by themselves. */
function removeCgroup(folder: string): void {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(join(folder, entry.name))
  try {
    rmdirSync(folder)
  } catch {}
}

async function startNode(pki: string): Promise<void> {
  const cgroupRoot = ownCgroupRoot()
  if (cgroupRoot !== undefined) for (const folder of cgroupFolders(cgroupRoot)) mkdirSync(folder, { recursive: true })
  // eventRecordQPS: 0 would mean about 2.5 a second; without clusterDNS each pod sync adds an event. Either delays events by minutes.
  writeWhole(
    path('etc', 'kubelet.yaml'),
    `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: "${pki}/ca.crt"}}
authorization: {mode: Webhook}
tlsCertFile: "${pki}/kubelet.crt"
tlsPrivateKeyFile: "${pki}/kubelet.key"
address: ${nodeAddress}
healthzBindAddress: 127.0.0.1
cgroupDriver: cgroupfs
failSwapOn: false
${cgroupRoot === undefined ? '' : `cgroupRoot: ${cgroupRoot}\n`}containerRuntimeEndpoint: "unix://${containerdSocket()}"
resolvConf: /etc/resolv.conf
podLogsDir: "${path('pod-logs')}"
volumePluginDir: "${path('volume-plugins')}"
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
registryPullQPS: 0
eventRecordQPS: 50
eventBurst: 100
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
syncFrequency: 10s
nodeStatusUpdateFrequency: 5s
`,
  )
  // minSyncPeriod: by default a Service may point at a pod that is gone for a second longer.
  writeWhole(
    path('etc', 'proxy.yaml'),
    `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: "${path('etc', 'proxy.kubeconfig')}"}
clusterCIDR: 10.244.0.0/16
hostnameOverride: node-1
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
mode: iptables
iptables: {minSyncPeriod: 100ms}
conntrack: {maxPerCore: 0}
`,
  )
  await Promise.all([
    start('cluster', {
      name: 'kubelet',
      argv: [
        kubernetesProgram('kubelet'),
        `--config=${path('etc', 'kubelet.yaml')}`,
        `--kubeconfig=${path('etc', 'kubelet.kubeconfig')}`,
        '--hostname-override=node-1',
        `--root-dir=${path('kubelet')}`,
        `--node-ip=${nodeAddress}`,
      ],
      ready: { http: 'http://127.0.0.1:10248/healthz' },
    }),
    start('cluster', {
      name: 'kube-proxy',
      argv: [kubernetesProgram('kube-proxy'), `--config=${path('etc', 'proxy.yaml')}`],
      ready: { http: 'http://127.0.0.1:10256/healthz' },
    }),
  ])
}

/** After a restart of the machine containerd's runtime state describes tasks and mounts that are gone. */
async function forgetOtherBoot(): Promise<void> {
  const boot = path('boot-id')
  const now = bootId()
  if (existsSync(boot) && readFileSync(boot, 'utf8') !== now) {
    say('cluster', 'the machine was restarted; starting again over the existing state')
    for (const mount of mountsUnder(path('containerd', 'state'))) await run(['umount', '-l', mount])
    rmSync(path('containerd', 'state'), { recursive: true, force: true })
  }
  writeWhole(boot, now)
}

async function until(what: string, limit: number, argv: string[]): Promise<void> {
  const begun = Date.now()
  let told = begun
  let last = ''
  for (;;) {
    const result = await run(argv, { timeout: 10_000 })
    if (result.code === 0) return
    last = result.stderr.trim()
    for (const name of ['kube-apiserver', 'kubelet', 'containerd', 'etcd'])
      if (!isRunning(name))
        throw new Error(`${name} ended while waiting for ${what}. Its log is ${statePath('logs', `${name}.log`)}`)
    if (Date.now() - begun > limit * 1000)
      throw new Error(`${what} did not come within ${limit} s (${last}). The logs are in ${statePath('logs')}`)
    if (Date.now() - told > 5000) {
      told = Date.now()
      say('cluster', `waiting for ${what}`)
    }
    await sleep(150)
  }
}

/** Ends the cluster's processes and pods, and clears its mounts, interfaces and packet filter rules. The state stays. */
export async function localDown(): Promise<void> {
  await Promise.all([remove('kubelet'), remove('kube-proxy')])
  await Promise.all([endPods(), ...controlPlane.slice(0, 2).map(name => remove(name))])
  await remove('containerd')
  await remove('kube-apiserver')
  await remove('etcd')
  const cgroupRoot = ownCgroupRoot()
  if (cgroupRoot !== undefined) for (const folder of cgroupFolders(cgroupRoot)) removeCgroup(folder)
  // Names and ports are one per machine: what is still served belongs to the cluster of another state folder.
  if (!hasLocalState() || (await accepts(6443))) return
  const proxy = kubernetesProgram('kube-proxy')
  if (existsSync(proxy)) await run([proxy, '--cleanup'], { timeout: 20_000 })
  await clearRules()
  for (const mount of mountsUnder(path())) await run(['umount', '-l', mount])
  for (const name of [podBridge, nodeInterface]) await run(['ip', 'link', 'del', name])
}

/** Pods outlive containerd: they are ended through it, so it is started for this if it is gone. */
async function endPods(): Promise<void> {
  const tasks = path('containerd', 'state', 'io.containerd.runtime.v2.task', 'k8s.io')
  if (!existsSync(tasks) || readdirSync(tasks).length === 0) return
  if (!isRunning('containerd')) await startContainerd()
  const list = async (): Promise<string[]> => (await run(ctr('tasks', 'ls', '-q'))).stdout.split('\n').filter(Boolean)
  await Promise.all((await list()).map(task => run(ctr('tasks', 'kill', '-s', 'SIGKILL', task))))
  await sleep(300)
  await Promise.all((await list()).map(task => run(ctr('tasks', 'rm', '-f', task))))
}

/** What the network plugin left of pods that are gone: its chains carry the network's name in their rules' comments. */
async function clearRules(): Promise<void> {
  const rules = (await run(['iptables', '-t', 'nat', '-S'])).stdout.split('\n')
  const chains = new Set<string>()
  for (const rule of rules) {
    if (!rule.includes('name: \\"deploy-actions\\"')) continue
    const chain = /^-A POSTROUTING .*-j (CNI-[0-9a-f]+)$/.exec(rule)?.[1]
    const source = /-s (\S+)/.exec(rule)?.[1]
    const comment = /--comment "((?:[^"\\]|\\.)*)"/.exec(rule)?.[1]?.replaceAll('\\"', '"')
    if (!chain || !source || !comment) continue
    chains.add(chain)
    await run(['iptables', '-t', 'nat', '-D', 'POSTROUTING', '-s', source, '-m', 'comment', '--comment', comment, '-j', chain])
  }
  for (const chain of chains) {
    await run(['iptables', '-t', 'nat', '-F', chain])
    await run(['iptables', '-t', 'nat', '-X', chain])
  }
  // The kubelet's own, which kube-proxy's clean-up leaves.
  for (const iptables of ['iptables', 'ip6tables']) {
    for (const chain of ['INPUT', 'OUTPUT']) await run([iptables, '-D', chain, '-j', 'KUBE-FIREWALL'])
    for (const [table, chain] of [
      ['filter', 'KUBE-FIREWALL'],
      ['filter', 'KUBE-KUBELET-CANARY'],
      ['nat', 'KUBE-KUBELET-CANARY'],
      ['mangle', 'KUBE-KUBELET-CANARY'],
    ] as const) {
      await run([iptables, '-t', table, '-F', chain])
      await run([iptables, '-t', table, '-X', chain])
    }
  }
}
