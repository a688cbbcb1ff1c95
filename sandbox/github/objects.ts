// The objects that GitHub's API answers with, as github.com makes them: every field that its OpenAPI description requires, and no other names.
import type { Commit, FileChange, Signature } from './history.ts'

const WEB = 'https://github.com'

export interface Repository {
  readonly id: number
  readonly owner: string
  readonly name: string
}

export interface Addresses {
  /** Of the API itself, without a slash at the end. */
  readonly api: string
}

const nodeId = (kind: string, id: number | string): string => Buffer.from(`${kind}:${id}`).toString('base64url')

/** The account that a workflow's own token acts as. */
export const WORKFLOW_BOT = 'github-actions[bot]'

export function user({ api }: Addresses, login: string) {
  const id = [...login].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 100_000_000, 7)
  const url = `${api}/users/${encodeURIComponent(login)}`
  const bot = login.endsWith('[bot]')
  return {
    login,
    id,
    node_id: nodeId('User', id),
    avatar_url: `https://avatars.githubusercontent.com/u/${id}?v=4`,
    gravatar_id: '',
    url,
    html_url: bot ? `${WEB}/apps/${login.slice(0, -'[bot]'.length)}` : `${WEB}/${login}`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type: bot ? 'Bot' : 'User',
    site_admin: false,
  }
}

export const repositoryUrl = ({ api }: Addresses, { owner, name }: Repository): string => `${api}/repos/${owner}/${name}`

const TEMPLATES = {
  archive_url: '{archive_format}{/ref}',
  assignees_url: 'assignees{/user}',
  blobs_url: 'git/blobs{/sha}',
  branches_url: 'branches{/branch}',
  collaborators_url: 'collaborators{/collaborator}',
  comments_url: 'comments{/number}',
  commits_url: 'commits{/sha}',
  compare_url: 'compare/{base}...{head}',
  contents_url: 'contents/{+path}',
  contributors_url: 'contributors',
  deployments_url: 'deployments',
  downloads_url: 'downloads',
  events_url: 'events',
  forks_url: 'forks',
  git_commits_url: 'git/commits{/sha}',
  git_refs_url: 'git/refs{/sha}',
  git_tags_url: 'git/tags{/sha}',
  hooks_url: 'hooks',
  issue_comment_url: 'issues/comments{/number}',
  issue_events_url: 'issues/events{/number}',
  issues_url: 'issues{/number}',
  keys_url: 'keys{/key_id}',
  labels_url: 'labels{/name}',
  languages_url: 'languages',
  merges_url: 'merges',
  milestones_url: 'milestones{/number}',
  notifications_url: 'notifications{?since,all,participating}',
  pulls_url: 'pulls{/number}',
  releases_url: 'releases{/id}',
  stargazers_url: 'stargazers',
  statuses_url: 'statuses/{sha}',
  subscribers_url: 'subscribers',
  subscription_url: 'subscription',
  tags_url: 'tags',
  teams_url: 'teams',
  trees_url: 'git/trees{/sha}',
} as const

export function repository(
  at: Addresses,
  it: Repository,
  more: { defaultBranch: string; openIssues: number; pushedAt: string; createdAt: string },
) {
  const url = repositoryUrl(at, it)
  const fullName = `${it.owner}/${it.name}`
  const urls = Object.fromEntries(Object.entries(TEMPLATES).map(([field, path]) => [field, `${url}/${path}`]))
  return {
    id: it.id,
    node_id: nodeId('Repository', it.id),
    name: it.name,
    full_name: fullName,
    private: false,
    owner: user(at, it.owner),
    html_url: `${WEB}/${fullName}`,
    description: null,
    fork: false,
    url,
    ...(urls as Record<keyof typeof TEMPLATES, string>),
    created_at: more.createdAt,
    updated_at: more.pushedAt,
    pushed_at: more.pushedAt,
    git_url: `git://github.com/${fullName}.git`,
    ssh_url: `git@github.com:${fullName}.git`,
    clone_url: `${WEB}/${fullName}.git`,
    svn_url: `${WEB}/${fullName}`,
    mirror_url: null,
    homepage: null,
    size: 0,
    language: null,
    license: null,
    default_branch: more.defaultBranch,
    visibility: 'public',
    has_issues: true,
    has_projects: true,
    has_wiki: true,
    has_pages: false,
    has_discussions: false,
    archived: false,
    disabled: false,
    forks: 0,
    forks_count: 0,
    network_count: 0,
    open_issues: more.openIssues,
    open_issues_count: more.openIssues,
    stargazers_count: 0,
    subscribers_count: 0,
    watchers: 0,
    watchers_count: 0,
  }
}

/** The account of a commit's author: known where the address is GitHub's own for it, else null, as on github.com. */
function account(at: Addresses, { email }: Signature) {
  const login = /^(?:\d+\+)?([^@]+)@users\.noreply\.github\.com$/.exec(email)?.[1]
  return login === undefined ? null : user(at, login)
}

export function commit(at: Addresses, it: Repository, found: Commit) {
  const { sha, tree, parents, author, committer, message } = found
  const url = repositoryUrl(at, it)
  const web = `${WEB}/${it.owner}/${it.name}/commit`
  return {
    sha,
    node_id: nodeId('Commit', sha),
    commit: {
      author,
      committer,
      message,
      tree: { sha: tree, url: `${url}/git/trees/${tree}` },
      url: `${url}/git/commits/${sha}`,
      comment_count: 0,
      verification: { verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null },
    },
    url: `${url}/commits/${sha}`,
    html_url: `${web}/${sha}`,
    comments_url: `${url}/commits/${sha}/comments`,
    author: account(at, author),
    committer: account(at, committer),
    parents: parents.map(parent => ({ sha: parent, url: `${url}/commits/${parent}`, html_url: `${web}/${parent}` })),
  }
}

export function fileChange(at: Addresses, it: Repository, head: string, change: FileChange) {
  const { filename, previousFilename, status, sha, additions, deletions } = change
  const path = filename.split('/').map(encodeURIComponent).join('/')
  return {
    sha,
    filename,
    status,
    additions,
    deletions,
    changes: additions + deletions,
    blob_url: `${WEB}/${it.owner}/${it.name}/blob/${head}/${path}`,
    raw_url: `${WEB}/${it.owner}/${it.name}/raw/${head}/${path}`,
    contents_url: `${repositoryUrl(at, it)}/contents/${path}?ref=${head}`,
    ...(previousFilename === undefined ? {} : { previous_filename: previousFilename }),
  }
}

export function label(at: Addresses, it: Repository, name: string) {
  const id = [...name].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 100_000_000, 11)
  return {
    id,
    node_id: nodeId('Label', id),
    url: `${repositoryUrl(at, it)}/labels/${encodeURIComponent(name)}`,
    name,
    color: 'ededed',
    default: false,
    description: null,
  }
}

export function issue(
  at: Addresses,
  it: Repository,
  more: { id: number; number: number; title: string; body: string | null; labels: string[]; assignees: string[]; now: string },
) {
  const { id, number, title, body, now } = more
  const url = `${repositoryUrl(at, it)}/issues/${number}`
  const assignees = more.assignees.map(login => user(at, login))
  return {
    url,
    repository_url: repositoryUrl(at, it),
    labels_url: `${url}/labels{/name}`,
    comments_url: `${url}/comments`,
    events_url: `${url}/events`,
    html_url: `${WEB}/${it.owner}/${it.name}/issues/${number}`,
    id,
    node_id: nodeId('Issue', id),
    number,
    title,
    user: user(at, WORKFLOW_BOT),
    labels: more.labels.map(name => label(at, it, name)),
    state: 'open',
    state_reason: null,
    locked: false,
    assignee: assignees[0] ?? null,
    assignees,
    milestone: null,
    comments: 0,
    created_at: now,
    updated_at: now,
    closed_at: null,
    author_association: 'NONE',
    body,
  }
}

export function issueComment(at: Addresses, it: Repository, more: { id: number; issue: number; body: string; now: string }) {
  const { id, body, now } = more
  return {
    url: `${repositoryUrl(at, it)}/issues/comments/${id}`,
    html_url: `${WEB}/${it.owner}/${it.name}/issues/${more.issue}#issuecomment-${id}`,
    issue_url: `${repositoryUrl(at, it)}/issues/${more.issue}`,
    id,
    node_id: nodeId('IssueComment', id),
    user: user(at, WORKFLOW_BOT),
    created_at: now,
    updated_at: now,
    author_association: 'NONE',
    body,
  }
}

export interface DeploymentFields {
  readonly id: number
  readonly sha: string
  readonly ref: string
  readonly task: string
  readonly payload: Record<string, unknown> | string
  readonly environment: string
  readonly description: string | null
  readonly transient: boolean
  readonly production: boolean
  readonly now: string
}

export function deployment(at: Addresses, it: Repository, fields: DeploymentFields) {
  const { id, sha, ref, task, payload, environment, description, transient, production, now } = fields
  const url = `${repositoryUrl(at, it)}/deployments/${id}`
  return {
    url,
    id,
    node_id: nodeId('Deployment', id),
    sha,
    ref,
    task,
    payload,
    original_environment: environment,
    environment,
    description,
    creator: user(at, WORKFLOW_BOT),
    created_at: now,
    updated_at: now,
    statuses_url: `${url}/statuses`,
    repository_url: repositoryUrl(at, it),
    transient_environment: transient,
    production_environment: production,
  }
}

export const DEPLOYMENT_STATES = ['error', 'failure', 'inactive', 'in_progress', 'queued', 'pending', 'success'] as const
export type DeploymentState = (typeof DEPLOYMENT_STATES)[number]

export function deploymentStatus(
  at: Addresses,
  it: Repository,
  more: {
    id: number
    deployment: number
    state: DeploymentState
    description: string
    environment: string
    environmentUrl: string
    logUrl: string
    now: string
  },
) {
  const { id, state, description, environment, environmentUrl, logUrl, now } = more
  const url = `${repositoryUrl(at, it)}/deployments/${more.deployment}`
  return {
    url: `${url}/statuses/${id}`,
    id,
    node_id: nodeId('DeploymentStatus', id),
    state,
    creator: user(at, WORKFLOW_BOT),
    description,
    environment,
    target_url: logUrl,
    created_at: now,
    updated_at: now,
    deployment_url: url,
    repository_url: repositoryUrl(at, it),
    environment_url: environmentUrl,
    log_url: logUrl,
  }
}
