// What tests and the demo need of the sandbox: how to reach it, and cutting off one of its processes for a while.
import { delimiter } from 'node:path'
import { isAlive } from './identity.ts'
import { records, startAgain, stop } from './processes.ts'
import { readEnvironment } from './state.ts'

export interface Environment {
  /** Path of a kubeconfig. */
  KUBECONFIG: string
  DOCKER_CONFIG: string
  DOCKER_HOST?: string
  BUILDX_BUILDER: string
  BUILDX_CONFIG: string
  /** host:port of the registry, without scheme. */
  REGISTRY: string
  /** Reference of an image with busybox and its applets, to start FROM. */
  BASE_IMAGE: string
  /** Address of a fake of GitHub's API; its token is `sandbox-token`. */
  GITHUB_API_URL?: string
  /** Address of the AWS simulator, for SDKs, the AWS CLI and Terraform; any credentials will do. */
  AWS_ENDPOINT_URL?: string
  /** Folders to put in front of PATH: kubectl, buildx, act, actionlint. */
  PATH_PREPEND: string[]
}

/** How to reach the sandbox. Throws when a part is not up or a process of it is gone; one that was stopped on purpose is none. */
export function sandboxEnvironment(): Environment {
  const mend = 'Run: npm run sandbox -- up'
  const dead = records().find(record => record.identity !== null && !isAlive(record.identity))
  if (dead) throw new Error(`the sandbox's ${dead.name} is gone. ${mend}`)
  const found = readEnvironment()
  const take = (key: 'KUBECONFIG' | 'DOCKER_CONFIG' | 'BUILDX_BUILDER' | 'BUILDX_CONFIG' | 'REGISTRY' | 'BASE_IMAGE'): string => {
    const value = found[key]
    if (value === undefined) throw new Error(`the sandbox is not up: it has no ${key}. ${mend}`)
    return value
  }
  return {
    KUBECONFIG: take('KUBECONFIG'),
    DOCKER_CONFIG: take('DOCKER_CONFIG'),
    ...(found.DOCKER_HOST ? { DOCKER_HOST: found.DOCKER_HOST } : {}),
    BUILDX_BUILDER: take('BUILDX_BUILDER'),
    BUILDX_CONFIG: take('BUILDX_CONFIG'),
    REGISTRY: take('REGISTRY'),
    BASE_IMAGE: take('BASE_IMAGE'),
    ...(found.GITHUB_API_URL ? { GITHUB_API_URL: found.GITHUB_API_URL } : {}),
    ...(found.AWS_ENDPOINT_URL ? { AWS_ENDPOINT_URL: found.AWS_ENDPOINT_URL } : {}),
    PATH_PREPEND: found.PATH_PREPEND ?? [],
  }
}

/** A child process's environment: `base` with the sandbox's entries over it and its programs first on PATH. */
export function sandboxVariables(base: Record<string, string | undefined> = process.env): Record<string, string> {
  const { PATH_PREPEND, ...entries } = sandboxEnvironment()
  const kept = Object.fromEntries(Object.entries(base).filter((entry): entry is [string, string] => entry[1] !== undefined))
  return { ...kept, ...entries, PATH: [...PATH_PREPEND, kept['PATH'] ?? ''].join(delimiter) }
}

/** Ends the cluster's API server at once, every connection with it. Only our own one-node cluster has it as a process. */
export async function cutApiServer(): Promise<void> {
  if (!(await stop('kube-apiserver', 0))) throw new Error('no kube-apiserver of the sandbox is running')
}

/** Starts the API server again and waits until it is ready. */
export const restoreApiServer = (): Promise<void> => startAgain('sandbox', 'kube-apiserver')
