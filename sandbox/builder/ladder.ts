// Which image builder to use, decided from what was found: pure, so that its test is a table.

export interface BuilderFindings {
  /** What an earlier `up` chose and still runs here. */
  running?: 'buildkit' | 'dockerd'
  /** A Docker engine answers. */
  docker: boolean
  linux: boolean
  root: boolean
  /** The programs, on PATH or built before. */
  buildkitd: boolean
  dockerd: boolean
  /** Packages can be installed here. */
  installable: boolean
  go: boolean
}

export type BuilderChoice = { use: 'docker' | 'buildkit' | 'dockerd' } | { use: 'none'; message: string }

export function chooseBuilder(found: BuilderFindings): BuilderChoice {
  if (found.running) return { use: found.running }
  if (found.docker) return { use: 'docker' }
  if (!found.linux)
    return {
      use: 'none',
      message: 'no Docker engine answers. Start Docker (macOS: brew install --cask docker && open -a Docker)',
    }
  if (!found.root)
    return {
      use: 'none',
      message: 'no Docker engine answers, and only root may start one. Start Docker, or run: sudo -E npm run sandbox -- up',
    }
  if (found.buildkitd) return { use: 'buildkit' }
  if (found.dockerd) return { use: 'dockerd' }
  // A package comes in half a minute; BuildKit takes more than one to build.
  if (found.installable) return { use: 'dockerd' }
  if (found.go) return { use: 'buildkit' }
  return {
    use: 'none',
    message:
      'no Docker engine, no buildkitd, no apt-get and no Go to build it. Install Docker (https://docs.docker.com/engine/install) and start it',
  }
}
