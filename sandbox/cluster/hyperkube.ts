// Kubernetes' programs as one binary: named by HYPERKUBE, or built once from the Go module beside this file, in the minor version that
// KUBERNETES_MINOR names.
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createZstdDecompress } from 'node:zlib'
import { isExecutable } from '../command.ts'
import { say, seconds } from '../progress.ts'
import { link, statePath } from '../state.ts'
import { goBuild } from '../tools/go.ts'

/** The versions of which the module proxy has every part, and the file beside `hyperkube/main.go` that names them. */
const versions: Readonly<Record<string, { readonly version: string; readonly modules: string }>> = {
  '1.33': { version: 'v1.33.5', modules: '1.33.mod' },
  '1.34': { version: 'v1.34.4', modules: 'go.mod' },
}
const byDefault = '1.34'

/** `1.34`, or the other one that KUBERNETES_MINOR names. */
export function kubernetesMinor(): string {
  const minor = process.env['KUBERNETES_MINOR'] || byDefault
  if (versions[minor] === undefined)
    throw new Error(`KUBERNETES_MINOR is ${minor}, and there is ${Object.keys(versions).join(' and ')}`)
  return minor
}

export const hyperkubePath = (): string => statePath('cluster', 'bin', 'hyperkube')
const programs = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy', 'kubelet', 'kubectl']

/** Path of one of Kubernetes' programs in the state folder. */
export const kubernetesProgram = (name: string): string => join(dirname(hyperkubePath()), name)

/** Whether the binary is there, or HYPERKUBE names one. */
export const hasHyperkube = (): boolean => isExecutable(hyperkubePath()) || !!process.env['HYPERKUBE']

/** Puts the binary into the state folder, with one link for each program. */
export async function provideHyperkube(): Promise<void> {
  const path = hyperkubePath()
  mkdirSync(dirname(path), { recursive: true })
  if (!isExecutable(path)) {
    const prebuilt = process.env['HYPERKUBE']
    if (prebuilt) await copyPrebuilt(prebuilt, path)
    else {
      say('cluster', 'building Kubernetes from its Go modules: once, about 5 minutes on 2 cores')
      const minor = kubernetesMinor()
      const { version = '', modules = '' } = versions[minor] ?? {}
      const stamp = 'k8s.io/component-base/version'
      const flags = `-X ${stamp}.gitVersion=${version} -X ${stamp}.gitMajor=1 -X ${stamp}.gitMinor=${minor.split('.')[1]}`
      await goBuild({
        part: 'cluster',
        name: 'hyperkube',
        folder: join(import.meta.dirname, 'hyperkube'),
        target: '.',
        output: path,
        modules,
        ldflags: flags,
      })
    }
  }
  for (const name of programs) link(path, kubernetesProgram(name))
  link(path, statePath('bin', 'kubectl'))
}

async function copyPrebuilt(prebuilt: string, path: string): Promise<void> {
  if (!existsSync(prebuilt))
    throw new Error(`HYPERKUBE names ${prebuilt}, which does not exist. Correct it, or unset it to build Kubernetes`)
  const part = `${path}.part`
  const begun = seconds()
  const out = createWriteStream(part, { mode: 0o755 })
  if (prebuilt.endsWith('.zst')) await pipeline(createReadStream(prebuilt), createZstdDecompress(), out)
  else await pipeline(createReadStream(prebuilt), out)
  renameSync(part, path)
  say('cluster', `took Kubernetes from HYPERKUBE in ${(seconds() - begun).toFixed(1)} s`)
}
