// The image builder: the Docker engine that answers, or BuildKit alone, or Debian's dockerd, each behind `docker buildx build`.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dockerAnswers } from '../cluster/cluster.ts'
import { findProgram, mustRun, run } from '../command.ts'
import { mountsUnder } from '../mounts.ts'
import { installMissing, means, type Requirement } from '../packages.ts'
import { isRunning, readRecord, remove, start } from '../processes.ts'
import { say, seconds } from '../progress.ts'
import { registryAddress } from '../registry/registry.ts'
import { link, statePath, updateEnvironment, writeWhole } from '../state.ts'
import { goProgram } from '../tools/go.ts'
import { provideTool, toolAtHand } from '../tools/tools.ts'
import { type BuilderChoice, type BuilderFindings, chooseBuilder } from './ladder.ts'

const path = (...parts: string[]): string => statePath('builder', ...parts)
const dockerConfig = (): string => path('docker-config')
const buildxConfig = (): string => path('buildx')
const buildkitSocket = (): string => path('buildkitd.sock')
const dockerSocket = (): string => path('docker.sock')

/** dockerd's build steps get their network by a bridge of our own, from where they reach what this machine reaches. */
const bridge = 'da-docker0'
const bridgeRule = ['POSTROUTING', '-s', '10.245.0.0/24', '!', '-o', bridge, '-j', 'MASQUERADE']

const runc: Requirement = { provides: 'runc', package: 'runc' }
const dockerPackage: Requirement[] = [
  { provides: 'dockerd', package: 'docker.io' },
  { provides: 'docker', package: 'docker.io' },
  { provides: 'ip', package: 'iproute2' },
  { provides: 'iptables', package: 'iptables' },
]

async function findOut(): Promise<BuilderFindings> {
  const running = isRunning('buildkitd') ? 'buildkit' : isRunning('dockerd') ? 'dockerd' : undefined
  const has = means()
  return {
    ...(running ? { running } : {}),
    docker: running ? false : await dockerAnswers(),
    linux: process.platform === 'linux',
    root: has.root,
    buildkitd: toolAtHand('buildkitd') !== undefined,
    dockerd: findProgram('dockerd') !== undefined,
    installable: has.root && has.apt,
    go: goProgram() !== undefined,
  }
}

/** How to call buildx, and with which environment, once the builder is up. */
export const buildx = (): string[] => [statePath('bin', 'buildx')]
export const buildxEnvironment = (): Record<string, string> => ({ DOCKER_CONFIG: dockerConfig(), BUILDX_CONFIG: buildxConfig() })

export async function builderUp(): Promise<void> {
  const begun = seconds()
  const choice: BuilderChoice = chooseBuilder(await findOut())
  if (choice.use === 'none') throw new Error(choice.message)
  mkdirSync(buildxConfig(), { recursive: true })
  if (!existsSync(`${dockerConfig()}/config.json`)) writeWhole(`${dockerConfig()}/config.json`, '{}\n', 0o600)
  await Promise.all([provideBuildx(choice.use), startBuilder(choice.use)])
  let name = 'default'
  if (choice.use === 'buildkit') {
    name = 'sandbox'
    const known = await run([...buildx(), 'inspect', name], { environment: buildxEnvironment() })
    if (known.code !== 0)
      await mustRun([...buildx(), 'create', '--name', name, '--driver', 'remote', `unix://${buildkitSocket()}`], {
        environment: buildxEnvironment(),
      })
  }
  updateEnvironment({
    DOCKER_CONFIG: dockerConfig(),
    BUILDX_CONFIG: buildxConfig(),
    BUILDX_BUILDER: name,
    DOCKER_HOST:
      choice.use === 'dockerd' ? `unix://${dockerSocket()}` : choice.use === 'docker' ? await engineAddress() : undefined,
  })
  const what = { docker: 'the Docker engine that answers', buildkit: 'BuildKit alone', dockerd: "Debian's dockerd" }[choice.use]
  say('builder', `ready in ${(seconds() - begun).toFixed(1)} s: ${what}`)
}

async function provideBuildx(use: 'docker' | 'buildkit' | 'dockerd'): Promise<void> {
  const plugin = use === 'docker' && !toolAtHand('buildx') ? await dockerPlugin() : undefined
  if (plugin) link(plugin, statePath('bin', 'buildx'))
  const path = plugin ?? (await provideTool('builder', 'buildx'))
  link(path, `${dockerConfig()}/cli-plugins/docker-buildx`)
}

/** Where the engine answers. Spelled out, for the contexts that say so are in the DOCKER_CONFIG that ours stands in for. */
async function engineAddress(): Promise<string> {
  const said = await mustRun(['docker', 'context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'])
  return process.env['DOCKER_HOST'] || said.trim()
}

/** The buildx that came with Docker itself. */
async function dockerPlugin(): Promise<string | undefined> {
  const said = await run([
    'docker',
    'info',
    '--format',
    '{{range .ClientInfo.Plugins}}{{if eq .Name "buildx"}}{{.Path}}{{end}}{{end}}',
  ])
  const found = said.stdout.trim()
  return said.code === 0 && found ? found : undefined
}

async function startBuilder(use: 'docker' | 'buildkit' | 'dockerd'): Promise<void> {
  if (use === 'docker') return
  if (use === 'buildkit') {
    const [buildkitd] = await Promise.all([provideTool('builder', 'buildkitd'), installMissing('builder', [runc])])
    writeWhole(path('buildkitd.toml'), `[registry."${registryAddress}"]\n  http = true\n`)
    await start('builder', {
      name: 'buildkitd',
      argv: [
        buildkitd,
        '--oci-worker-net=host',
        `--addr=unix://${buildkitSocket()}`,
        `--root=${path('buildkit')}`,
        `--config=${path('buildkitd.toml')}`,
      ],
      ready: { socket: buildkitSocket() },
    })
    return
  }
  await installMissing('builder', dockerPackage)
  await makeBridge()
  // Without packet filter rules of its own, for they would drop what pods of the cluster forward.
  await start('builder', {
    name: 'dockerd',
    argv: [
      findProgram('dockerd') ?? 'dockerd',
      `--host=unix://${dockerSocket()}`,
      `--data-root=${path('docker')}`,
      `--exec-root=${path('docker-run')}`,
      `--pidfile=${path('dockerd.pid')}`,
      '--iptables=false',
      '--ip-forward=false',
      `--bridge=${bridge}`,
    ],
    ready: { command: [findProgram('docker') ?? 'docker', '--host', `unix://${dockerSocket()}`, 'version'] },
  })
}

async function makeBridge(): Promise<void> {
  if ((await run(['ip', 'link', 'show', bridge])).code !== 0) {
    await mustRun(['ip', 'link', 'add', bridge, 'type', 'bridge'])
    await mustRun(['ip', 'addr', 'add', '10.245.0.1/24', 'dev', bridge])
  }
  await mustRun(['ip', 'link', 'set', bridge, 'up'])
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
  if ((await run(['iptables', '-t', 'nat', '-C', ...bridgeRule])).code !== 0)
    await mustRun(['iptables', '-t', 'nat', '-A', ...bridgeRule])
}

export async function builderDown(): Promise<void> {
  const hadBridge = readRecord('dockerd') !== undefined
  await Promise.all([remove('buildkitd'), remove('dockerd')])
  if (hadBridge) {
    await run(['ip', 'link', 'del', bridge])
    await run(['iptables', '-t', 'nat', '-D', ...bridgeRule])
  }
  for (const mount of mountsUnder(path())) await run(['umount', '-l', mount])
  updateEnvironment({
    DOCKER_CONFIG: undefined,
    BUILDX_CONFIG: undefined,
    BUILDX_BUILDER: undefined,
    DOCKER_HOST: undefined,
    BASE_IMAGE: undefined,
  })
}
