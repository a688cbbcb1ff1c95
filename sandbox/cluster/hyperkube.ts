// Kubernetes' programs as one binary: named by HYPERKUBE, or built once from the Go module beside this file.
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createZstdDecompress } from 'node:zlib'
import { isExecutable } from '../command.ts'
import { say, seconds } from '../progress.ts'
import { link, statePath } from '../state.ts'
import { goBuild } from '../tools/go.ts'

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
      const version = 'v1.34.4'
      const stamp = 'k8s.io/component-base/version'
      const flags = `-X ${stamp}.gitVersion=${version} -X ${stamp}.gitMajor=1 -X ${stamp}.gitMinor=34`
      await goBuild({
        part: 'cluster',
        name: 'hyperkube',
        folder: join(import.meta.dirname, 'hyperkube'),
        target: '.',
        output: path,
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
