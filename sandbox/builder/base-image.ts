// The image that test images start from, for nothing can be pulled where there is no way out: busybox and its applets.
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { busybox, busyboxRequirement } from '../busybox.ts'
import { mustRun } from '../command.ts'
import { canHave, installMissing } from '../packages.ts'
import { answers } from '../processes.ts'
import { say, seconds } from '../progress.ts'
import { registryAddress } from '../registry/registry.ts'
import { readEnvironment, updateEnvironment } from '../state.ts'
import { buildx, buildxEnvironment } from './builder.ts'

export const baseImage = `${registryAddress}/library/busybox:1`

/** Pushes the base image unless the registry has it. Needs registry and builder. */
export async function baseImageUp(): Promise<void> {
  const manifest = { accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json' }
  if (!(await answers(`http://${registryAddress}/v2/library/busybox/manifests/1`, manifest))) {
    const begun = seconds()
    const context = mkdtempSync(join(tmpdir(), 'base-image-'))
    try {
      if (canHave(busyboxRequirement)) await fromDebian(context)
      else writeFileSync(join(context, 'Dockerfile'), 'FROM busybox:1-musl\n')
      const host = readEnvironment().DOCKER_HOST
      await mustRun(
        [
          ...buildx(),
          'build',
          '--builder',
          readEnvironment().BUILDX_BUILDER ?? 'default',
          '--provenance=false',
          '--push',
          '-t',
          baseImage,
          context,
        ],
        { environment: { ...buildxEnvironment(), ...(host ? { DOCKER_HOST: host } : {}) } },
      )
    } finally {
      rmSync(context, { recursive: true, force: true })
    }
    say('builder', `pushed ${baseImage} in ${(seconds() - begun).toFixed(1)} s`)
  }
  updateEnvironment({ BASE_IMAGE: baseImage })
}

async function fromDebian(context: string): Promise<void> {
  await installMissing('builder', [busyboxRequirement])
  const root = join(context, 'root')
  for (const folder of ['bin', 'etc', 'usr/bin', 'tmp', 'root']) mkdirSync(join(root, folder), { recursive: true })
  copyFileSync(busybox, join(root, 'bin', 'busybox'))
  chmodSync(join(root, 'bin', 'busybox'), 0o755)
  chmodSync(join(root, 'tmp'), 0o1777)
  for (const applet of (await mustRun([busybox, '--list'])).split('\n').filter(name => /^[\w[.-]+$/.test(name))) {
    const link = join(root, 'bin', applet)
    if (!existsSync(link)) symlinkSync('busybox', link)
  }
  symlinkSync('/bin/busybox', join(root, 'usr/bin/env'))
  writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n')
  writeFileSync(join(root, 'etc', 'group'), 'root:x:0:\nnogroup:x:65534:\n')
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY root /\nENV PATH=/bin:/usr/bin\nCMD ["/bin/sh"]\n')
}
