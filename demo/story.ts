// The story: which action runs on which version, and what must come of it.
import type { Expectation } from './expectation.ts'
import type { ActionName } from './setup.ts'
import { versions } from './versions.ts'

/** What is known by the time a step runs. */
export interface Known {
  readonly namespace: string
  readonly registry: string
  readonly baseImage: string
  /** Prometheus' address. */
  readonly prometheus: string
  /** The Service's address; empty before the first deployment. */
  readonly url: string
  /** Outputs of the steps so far, by `<action> <version>`. */
  readonly outputs: ReadonlyMap<string, Readonly<Record<string, string>>>
}

export interface Step {
  readonly version: string
  readonly action: ActionName
  /** What happens, in the words of the story. */
  readonly title: string
  readonly inputs: (known: Known) => Readonly<Record<string, string>>
  readonly expects: (known: Known) => Expectation
}

export const APP = 'hello'

const [first, second, third, fourth, fifth] = versions
const DIGEST = /@sha256:[0-9a-f]{64}$/

function output(known: Known, action: ActionName, version: string, name: string): string {
  return known.outputs.get(`${action} ${version}`)?.[name] ?? ''
}

function release(known: Known, number: number): string {
  return `k8s://${known.namespace}/${APP}/${number}`
}

function build(version: string): Step {
  return {
    version,
    action: 'build-push',
    title: 'The image is built, pushed and named by version and commit',
    inputs: known => ({
      image: `${known.registry}/demo/${APP}`,
      context: 'app',
      'build-args': `BASE=${known.baseImage}`,
    }),
    expects: () => ({
      conclusion: 'success',
      outputs: {
        result: 'pushed',
        version,
        tag: new RegExp(`^${version.replaceAll('.', '\\.')}-[0-9a-f]{7}$`),
        'image-ref': DIGEST,
      },
    }),
  }
}

function deploy(version: string, title: string, expects: Step['expects']): Step {
  return {
    version,
    action: 'deploy-k8s',
    title,
    inputs: known => ({
      app: APP,
      namespace: known.namespace,
      manifests: 'manifests',
      images: `${APP}=${output(known, 'build-push', version, 'image-ref')}`,
      timeout: '2m',
      'stable-for': '5s',
    }),
    expects,
  }
}

const deployed =
  (number: number, previous: number | undefined): Step['expects'] =>
  known => ({
    conclusion: 'success',
    outputs: {
      result: 'deployed',
      reason: '',
      release: release(known, number),
      'previous-release': previous === undefined ? '' : release(known, previous),
    },
  })

/** Ten answers in a row, each on a fresh connection, from this version and with the right greeting. */
function smokeTest(version: string, title: string, verifies: (known: Known) => string, expects: Step['expects']): Step {
  return {
    version,
    action: 'smoke-test',
    title,
    inputs: known => ({
      url: known.url,
      json: '.greeting="Hello, world"',
      version,
      consecutive: '10',
      timeout: '5s',
      interval: '500ms',
      verifies: verifies(known),
    }),
    expects,
  }
}

const passed =
  (number: number): Step['expects'] =>
  known => ({
    conclusion: 'success',
    outputs: { result: 'passed', reason: '', message: [`${release(known, number)} is marked verified`] },
  })

const released =
  (version: string): ((known: Known) => string) =>
  known =>
    output(known, 'deploy-k8s', version, 'release')

/** The release `bad` is live, `good` is the last verified one, and is put back as the release `as`. */
function rollback(version: string, title: string, { bad, good, as }: Readonly<Record<'bad' | 'good' | 'as', number>>): Step {
  return {
    version,
    action: 'rollback',
    title,
    inputs: known => ({
      app: APP,
      namespace: known.namespace,
      to: 'last-verified',
      'bad-release': released(version)(known),
      timeout: '2m',
      'stable-for': '5s',
    }),
    expects: known => ({
      conclusion: 'success',
      outputs: {
        result: 'rolled-back',
        release: release(known, as),
        'previous-release': release(known, bad),
        restored: new RegExp(`"release":${good}\\b`),
      },
    }),
  }
}

export const story: readonly Step[] = [
  build(first.version),
  deploy(first.version, 'It is deployed, the first of its kind', deployed(1, undefined)),
  smokeTest(first.version, 'It answers as it should, and is marked verified', released(first.version), passed(1)),

  build(second.version),
  deploy(second.version, 'It takes over, pod by pod', deployed(2, 1)),
  smokeTest(second.version, 'It answers as it should, and is marked verified', released(second.version), passed(2)),

  build(third.version),
  deploy(third.version, 'It crashes, is caught, and version 2 is put back', known => ({
    conclusion: 'failure',
    outputs: {
      result: 'rolled-back',
      reason: 'CrashLoopBackOff',
      message: ['exit code 1', '/config/name: no such file', `${release(known, 2)} was put back and is healthy`],
      'previous-release': release(known, 2),
    },
    caughtWithin: 30,
  })),
  smokeTest(second.version, 'Version 2 serves again', released(second.version), passed(2)),

  build(fourth.version),
  deploy(fourth.version, 'It starts well', deployed(4, 2)),
  smokeTest(fourth.version, 'But it answers wrongly', released(fourth.version), () => ({
    conclusion: 'failure',
    outputs: { result: 'failed', reason: 'WrongJson', message: ['expected .greeting "Hello, world", came "Hello, "'] },
  })),
  rollback(fourth.version, 'So the last verified version is put back, its settings with it', { bad: 4, good: 2, as: 5 }),
  smokeTest(second.version, 'Version 2 serves again', known => output(known, 'rollback', fourth.version, 'release'), passed(5)),

  build(fifth.version),
  deploy(fifth.version, 'It starts well', deployed(6, 5)),
  smokeTest(
    fifth.version,
    'It answers as it should',
    () => '',
    () => ({ conclusion: 'success', outputs: { result: 'passed', reason: '' } }),
  ),
  {
    version: fifth.version,
    action: 'monitoring-gate',
    title: 'But under its users it becomes slow, and the gate stops it',
    inputs: known => ({
      'prometheus-url': known.prometheus,
      queries: `- name: p95\n  preset: prom-client/p95\n  labels: { demo: ${known.namespace} }\n  threshold: < 400ms\n`,
      duration: '90s',
      interval: '1s',
      window: '10s',
      verifies: released(fifth.version)(known),
    }),
    expects: () => ({
      conclusion: 'failure',
      outputs: { result: 'failed', reason: 'ThresholdExceeded', message: ['p95', 'is not < 400 ms', '4 times in a row'] },
    }),
  },
  rollback(fifth.version, 'So the last verified version is put back', { bad: 6, good: 5, as: 7 }),
  smokeTest(second.version, 'Version 2 serves again', known => output(known, 'rollback', fifth.version, 'release'), passed(7)),
]
