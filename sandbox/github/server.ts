// A fake of GitHub's REST API on the loopback: only the calls that deploy-actions makes, with what they write kept in memory. Commits are those of a
// local git repository. Answers have the fields that GitHub's OpenAPI description requires; a test holds them to it.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Commit, History, inUtc } from './history.ts'
import * as objects from './objects.ts'

export interface GitHubOptions {
  /** 0, the default, takes any that is free. */
  readonly port?: number
  /** What each token may do. Every other one is refused. */
  readonly tokens?: Readonly<Record<string, 'read' | 'write'>>
  /** Folders of git repositories, by `owner/name`. */
  readonly repositories?: Readonly<Record<string, string>>
  readonly now?: () => Date
}

export interface GitHub {
  /** What GITHUB_API_URL is to be. */
  readonly url: string
  /** Makes a git repository known, or another one known by a name. */
  addRepository(fullName: string, folder: string): void
  close(): Promise<void>
}

/** The tokens of a fake that is given none. */
export const SANDBOX_TOKENS = { 'sandbox-token': 'write', 'sandbox-token-read': 'read' } as const

/** Answers without a token once the server is up. */
export const READY_PATH = '/sandbox/ready'

const DOCUMENTATION = 'https://docs.github.com/rest'
const BODY_LIMIT_BYTES = 1024 * 1024
/** GitHub's limits (docs.github.com, "Using pagination in the REST API"). */
const PER_PAGE = { default: 30, most: 100 }
const LONGEST_STATUS_DESCRIPTION = 140

type Issue = ReturnType<typeof objects.issue>
type Comment = ReturnType<typeof objects.issueComment>
type Deployment = ReturnType<typeof objects.deployment>
type Status = ReturnType<typeof objects.deploymentStatus>

interface Store extends objects.Repository {
  history: History
  readonly createdAt: string
  readonly issues: Issue[]
  /** By the issue's number, oldest first. */
  readonly comments: Map<number, Comment[]>
  readonly deployments: Deployment[]
  /** By the deployment's id, oldest first. */
  readonly statuses: Map<number, Status[]>
}

/** An answer that is no success. */
class Refusal extends Error {
  readonly status: number
  readonly errors: readonly object[] | undefined

  constructor(status: number, message: string, errors?: readonly object[]) {
    super(message)
    this.status = status
    this.errors = errors
  }
}

const notFound = (): Refusal => new Refusal(404, 'Not Found')
const invalid = (resource: string, field: string, code: string): Refusal =>
  new Refusal(422, 'Validation Failed', [{ resource, field, code }])

interface Call {
  readonly store: Store
  readonly parameters: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: Readonly<Record<string, unknown>>
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

interface Route {
  readonly method: 'GET' | 'POST'
  /** As in GitHub's documentation, after /repos/{owner}/{repo}. */
  readonly path: string
  readonly answer: (call: Call) => Answer | Promise<Answer>
}

/** Starts the fake on 127.0.0.1. */
export async function startGitHub(options: GitHubOptions = {}): Promise<GitHub> {
  const tokens = new Map<string, 'read' | 'write'>(Object.entries(options.tokens ?? SANDBOX_TOKENS))
  const now = (): string => inUtc((options.now ?? (() => new Date()))())
  const stores = new Map<string, Store>()
  let lastId = 0
  const nextId = (): number => (lastId += 1)
  // Known once the server listens.
  const at = { api: '' }

  const addRepository = (fullName: string, folder: string): void => {
    const [owner = '', name = '', ...rest] = fullName.split('/')
    if (owner === '' || name === '' || rest.length > 0) throw new Error(`${fullName} is not owner/name`)
    const known = stores.get(fullName.toLowerCase())
    if (known !== undefined) known.history = new History(folder)
    else {
      const empty = { issues: [], comments: new Map(), deployments: [], statuses: new Map() }
      stores.set(fullName.toLowerCase(), { id: nextId(), owner, name, history: new History(folder), createdAt: now(), ...empty })
    }
  }

  const routes: readonly Route[] = [
    {
      method: 'GET',
      path: '',
      answer: async ({ store }) => {
        const defaultBranch = await store.history.defaultBranch()
        const pushedAt = (await store.history.commit(defaultBranch))?.committer.date ?? store.createdAt
        const openIssues = store.issues.filter(issue => issue.state === 'open').length
        return {
          status: 200,
          body: objects.repository(at, store, { defaultBranch, openIssues, pushedAt, createdAt: store.createdAt }),
        }
      },
    },
    {
      method: 'GET',
      path: '/commits/{ref}',
      answer: async ({ store, parameters: { ref = '' } }) => {
        const found = await store.history.commit(ref)
        if (found === undefined) throw new Refusal(422, `No commit found for SHA: ${ref}`)
        const files = await store.history.changes(found.parents[0], found.sha)
        const sum = (field: 'additions' | 'deletions'): number => files.reduce((total, file) => total + file[field], 0)
        const [additions, deletions] = [sum('additions'), sum('deletions')]
        return {
          status: 200,
          body: {
            ...objects.commit(at, store, found),
            stats: { total: additions + deletions, additions, deletions },
            files: files.map(file => objects.fileChange(at, store, found.sha, file)),
          },
        }
      },
    },
    {
      method: 'GET',
      path: '/compare/{basehead}',
      answer: async ({ store, parameters: { basehead = '' } }) => {
        const [base, head, ...rest] = basehead.split('...')
        const [from, to] = await Promise.all([base, head].map(ref => store.history.commit(ref ?? '')))
        if (from === undefined || to === undefined || rest.length > 0) throw notFound()
        const found = await store.history.compare(from, to)
        if (found === undefined) throw new Refusal(404, `No common ancestor between ${base} and ${head}.`)
        const { ahead, behind } = found
        const status = ahead > 0 ? (behind > 0 ? 'diverged' : 'ahead') : behind > 0 ? 'behind' : 'identical'
        const web = `https://github.com/${store.owner}/${store.name}/compare/${basehead}`
        const asCommit = (one: Commit) => objects.commit(at, store, one)
        return {
          status: 200,
          body: {
            url: `${objects.repositoryUrl(at, store)}/compare/${basehead}`,
            html_url: web,
            permalink_url: `https://github.com/${store.owner}/${store.name}/compare/${from.sha}...${to.sha}`,
            diff_url: `${web}.diff`,
            patch_url: `${web}.patch`,
            base_commit: asCommit(found.base),
            merge_base_commit: asCommit(found.mergeBase),
            status,
            ahead_by: ahead,
            behind_by: behind,
            total_commits: ahead,
            // GitHub tells of 250 at most on the first page.
            commits: found.commits.slice(0, 250).map(asCommit),
            files: found.files.slice(0, 300).map(file => objects.fileChange(at, store, to.sha, file)),
          },
        }
      },
    },
    {
      method: 'GET',
      path: '/issues',
      answer: ({ store, query }) => {
        const state = query.get('state') ?? 'open'
        const labels = (query.get('labels') ?? '').split(',').filter(name => name !== '')
        const found = store.issues.filter(
          issue =>
            (state === 'all' || issue.state === state) && labels.every(name => issue.labels.some(label => label.name === name)),
        )
        return { status: 200, body: found.toReversed() }
      },
    },
    {
      method: 'POST',
      path: '/issues',
      answer: ({ store, body }) => {
        const title = textOf(body, 'title')
        if (title === undefined) throw new Refusal(422, 'Invalid request.\n\n"title" wasn\'t supplied.')
        if (title.trim() === '') throw invalid('Issue', 'title', 'missing_field')
        const issue = objects.issue(at, store, {
          id: nextId(),
          number: store.issues.length + 1,
          title,
          body: textOf(body, 'body') ?? null,
          labels: namesOf(body['labels']),
          assignees: namesOf(body['assignees']),
          now: now(),
        })
        store.issues.push(issue)
        return { status: 201, body: issue }
      },
    },
    { method: 'GET', path: '/issues/{number}', answer: call => ({ status: 200, body: issueOf(call) }) },
    {
      method: 'GET',
      path: '/issues/{number}/comments',
      answer: call => ({ status: 200, body: call.store.comments.get(issueOf(call).number) ?? [] }),
    },
    {
      method: 'POST',
      path: '/issues/{number}/comments',
      answer: call => {
        const { store, body } = call
        const issue = issueOf(call)
        const text = textOf(body, 'body')
        if (text === undefined) throw new Refusal(422, 'Invalid request.\n\n"body" wasn\'t supplied.')
        if (text.trim() === '') throw invalid('IssueComment', 'body', 'missing_field')
        const comment = objects.issueComment(at, store, { id: nextId(), issue: issue.number, body: text, now: now() })
        store.comments.set(issue.number, [...(store.comments.get(issue.number) ?? []), comment])
        issue.comments += 1
        issue.updated_at = comment.created_at
        return { status: 201, body: comment }
      },
    },
    {
      method: 'GET',
      path: '/deployments',
      answer: ({ store, query }) => {
        const asked = (['sha', 'ref', 'task', 'environment'] as const).flatMap(field => {
          const value = query.get(field)
          return value === null || value === 'none' ? [] : [{ field, value }]
        })
        const found = store.deployments.filter(one => asked.every(({ field, value }) => one[field] === value))
        return { status: 200, body: found.toReversed() }
      },
    },
    {
      method: 'POST',
      path: '/deployments',
      answer: async ({ store, body }) => {
        const ref = textOf(body, 'ref')
        if (ref === undefined) throw new Refusal(422, 'Invalid request.\n\n"ref" wasn\'t supplied.')
        const found = await store.history.commit(ref)
        if (found === undefined) throw new Refusal(422, `No ref found for: ${ref}`)
        const environment = textOf(body, 'environment') ?? 'production'
        const { payload } = body
        const made = objects.deployment(at, store, {
          id: nextId(),
          sha: found.sha,
          ref,
          task: textOf(body, 'task') ?? 'deploy',
          payload: isRecord(payload) || typeof payload === 'string' ? payload : {},
          environment,
          description: textOf(body, 'description') ?? null,
          transient: body['transient_environment'] === true,
          production:
            typeof body['production_environment'] === 'boolean' ? body['production_environment'] : environment === 'production',
          now: now(),
        })
        store.deployments.push(made)
        return { status: 201, body: made }
      },
    },
    { method: 'GET', path: '/deployments/{id}', answer: call => ({ status: 200, body: deploymentOf(call) }) },
    {
      method: 'GET',
      path: '/deployments/{id}/statuses',
      answer: call => ({ status: 200, body: (call.store.statuses.get(deploymentOf(call).id) ?? []).toReversed() }),
    },
    {
      method: 'POST',
      path: '/deployments/{id}/statuses',
      answer: call => {
        const { store, body } = call
        const target = deploymentOf(call)
        const state = objects.DEPLOYMENT_STATES.find(one => one === body['state'])
        if (state === undefined) throw invalid('DeploymentStatus', 'state', 'invalid')
        const description = textOf(body, 'description') ?? ''
        if (description.length > LONGEST_STATUS_DESCRIPTION) throw invalid('DeploymentStatus', 'description', 'invalid')
        const before = store.statuses.get(target.id)?.at(-1)
        const made = objects.deploymentStatus(at, store, {
          id: nextId(),
          deployment: target.id,
          state,
          description,
          environment: textOf(body, 'environment') ?? before?.environment ?? target.environment,
          environmentUrl: textOf(body, 'environment_url') ?? '',
          logUrl: textOf(body, 'log_url') ?? textOf(body, 'target_url') ?? '',
          now: now(),
        })
        store.statuses.set(target.id, [...(store.statuses.get(target.id) ?? []), made])
        target.updated_at = made.created_at
        if (state === 'success' && body['auto_inactive'] !== false) retireOlder(store, target)
        return { status: 201, body: made }
      },
    },
  ]

  /** GitHub's auto_inactive: older successful deployments to the same environment become inactive, but not those to production. */
  function retireOlder(store: Store, target: Deployment): void {
    for (const older of store.deployments) {
      const last = store.statuses.get(older.id)?.at(-1)
      const same = older.id < target.id && older.environment === target.environment
      if (!same || older.transient_environment || older.production_environment || last?.state !== 'success') continue
      const fields = { deployment: older.id, state: 'inactive', environment: last.environment } as const
      const made = objects.deploymentStatus(at, store, {
        ...fields,
        id: nextId(),
        description: '',
        environmentUrl: last.environment_url,
        logUrl: last.log_url,
        now: now(),
      })
      store.statuses.set(older.id, [...(store.statuses.get(older.id) ?? []), made])
    }
  }

  async function serve(request: IncomingMessage): Promise<Answer & { query: URLSearchParams; path: string }> {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '/', at.api)
    if (path === READY_PATH) return { status: 200, body: {}, query, path }
    const [scheme = '', token = ''] = (request.headers.authorization ?? '').split(' ')
    const may = /^(bearer|token)$/i.test(scheme) ? tokens.get(token) : undefined
    if (request.headers.authorization === undefined) throw new Refusal(401, 'Requires authentication')
    if (may === undefined) throw new Refusal(401, 'Bad credentials')

    const known = /^\/sandbox\/repositories\/([^/]+\/[^/]+)$/.exec(path)?.[1]
    if (known !== undefined && request.method === 'PUT' && may === 'write') {
      const folder = textOf(await bodyOf(request), 'folder')
      if (folder === undefined) throw new Refusal(422, 'folder: the path of a git repository is missing')
      addRepository(known, folder)
      return { status: 201, body: { repository: known, folder }, query, path }
    }

    const [, owner = '', name = '', rest = ''] = /^\/repos\/([^/]+)\/([^/]+)(\/.*)?$/.exec(path) ?? []
    const store = stores.get(decode(`${owner}/${name}`).toLowerCase())
    if (store === undefined) throw notFound()
    for (const route of routes) {
      const parameters = route.method === request.method ? match(route.path, rest) : undefined
      if (parameters === undefined) continue
      if (route.method === 'POST' && may !== 'write') throw new Refusal(403, 'Resource not accessible by integration')
      const body = route.method === 'POST' ? await bodyOf(request) : {}
      return { ...(await route.answer({ store, parameters, query, body })), query, path }
    }
    throw notFound()
  }

  const server = createServer((request, response) => {
    serve(request).then(
      ({ status, body, query, path }) => {
        if (!Array.isArray(body)) return send(response, status, body)
        const { items, link } = pageOf(body, query, `${at.api}${path}`)
        send(response, status, items, link === '' ? {} : { link })
      },
      error => {
        const known = error instanceof Refusal
        const status = known ? error.status : 500
        const message = known ? error.message : `This is a bug in the sandbox's fake of GitHub's API: ${error}`
        const errors = known && error.errors !== undefined ? { errors: error.errors } : {}
        const more = status === 422 ? errors : { status: String(status) }
        send(response, status, { message, documentation_url: DOCUMENTATION, ...more })
      },
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  at.api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  for (const [fullName, folder] of Object.entries(options.repositories ?? {})) addRepository(fullName, folder)
  return {
    url: at.api,
    addRepository,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'x-github-media-type': 'github.v3; format=json',
    'x-ratelimit-limit': '5000',
    'x-ratelimit-remaining': '4999',
    'x-ratelimit-reset': '4102444800',
    ...headers,
  })
  response.end(JSON.stringify(body))
}

/** A reference may hold slashes; no other parameter does. */
function match(path: string, text: string): Record<string, string> | undefined {
  const pattern = path.replace(/\{(\w+)\}/g, (_, name: string) => `(?<${name}>${/^(ref|basehead)$/.test(name) ? '.+' : '[^/]+'})`)
  const found = new RegExp(`^${pattern}/?$`).exec(text)
  if (found === null) return undefined
  return Object.fromEntries(Object.entries(found.groups ?? {}).map(([name, value]) => [name, decode(value)]))
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Refusal(400, 'Problems with the URL')
  }
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > BODY_LIMIT_BYTES) throw new Refusal(413, 'Payload too large')
    parts.push(part)
  }
  // Octokit sends no body where there is nothing to say.
  if (length === 0) return {}
  try {
    const body: unknown = JSON.parse(Buffer.concat(parts).toString())
    if (isRecord(body)) return body
  } catch {}
  throw new Refusal(400, 'Problems parsing JSON')
}

function pageOf<T>(all: readonly T[], query: URLSearchParams, url: string): { items: T[]; link: string } {
  const number = (name: string, otherwise: number): number => {
    const given = Number(query.get(name) ?? otherwise)
    return Number.isInteger(given) && given > 0 ? given : otherwise
  }
  const size = Math.min(number('per_page', PER_PAGE.default), PER_PAGE.most)
  const page = number('page', 1)
  const last = Math.max(1, Math.ceil(all.length / size))
  const others = [...query].filter(([name]) => name !== 'page')
  const to = (target: number): string => `${url}?${new URLSearchParams([...others, ['page', String(target)]])}`
  const targets = { ...(page > 1 ? { prev: page - 1, first: 1 } : {}), ...(page < last ? { next: page + 1, last } : {}) }
  const link = Object.entries(targets)
    .map(([relation, target]) => `<${to(target)}>; rel="${relation}"`)
    .join(', ')
  return { items: all.slice((page - 1) * size, page * size), link }
}

function issueOf({ store, parameters }: Call): Issue {
  const found = store.issues.find(issue => String(issue.number) === parameters['number'])
  if (found === undefined) throw notFound()
  return found
}

function deploymentOf({ store, parameters }: Call): Deployment {
  const found = store.deployments.find(one => String(one.id) === parameters['id'])
  if (found === undefined) throw notFound()
  return found
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws Refusal where the field is there and no text */
function textOf(body: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const value = body[field]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw new Refusal(422, `Invalid request.\n\nFor 'properties/${field}', ${JSON.stringify(value)} is not a string.`)
}

/** Labels and assignees: names, or objects with one. */
function namesOf(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  return value.flatMap(one =>
    typeof one === 'string' ? [one] : isRecord(one) && typeof one['name'] === 'string' ? [one['name']] : [],
  )
}
