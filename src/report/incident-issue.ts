// An issue for what had to be rolled back: one open issue for each app, and a comment in it for each further rollback while it is open.
import { ExpectedFailure, messageOf } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'

export interface Incident {
  /** What the issue is about, `k8s://shop/web`: by this an open one is found again. */
  readonly subject: string
  readonly title: string
  /** Markdown, redacted. */
  readonly report: string
}

export interface IncidentOptions {
  readonly token: string
  readonly env: NodeJS.ProcessEnv
}

const LABEL = 'incident'
/** GitHub takes 65,536 characters (docs.github.com, REST API, "Create an issue": body is too long beyond that). */
const LONGEST_BODY = 60_000
const LONGEST_TITLE = 200
const TIMEOUT_MS = 20_000
/** Open incidents beyond that are not looked through. */
const PAGE = 100

/**
 * Opens the issue, or comments on the one that is open.
 * @returns its number
 * @throws ExpectedFailure that says why it could not be written
 */
export async function reportIncident({ subject, title, report }: Incident, { token, env }: IncidentOptions): Promise<number> {
  const [owner = '', repo = ''] = (env['GITHUB_REPOSITORY'] ?? '').split('/')
  if (owner === '' || repo === '')
    throw new ExpectedFailure('InvalidInput', 'The incident issue was not written: GITHUB_REPOSITORY is not set.')
  const { getOctokit } = await import('@actions/github')
  const api = env['GITHUB_API_URL']
  const octokit = getOctokit(token, {
    ...(api === undefined || api === '' ? {} : { baseUrl: api }),
    request: { signal: AbortSignal.timeout(TIMEOUT_MS) },
  })
  const mark = `<!-- deploy-actions incident ${subject} -->`
  try {
    const { data: open } = await octokit.rest.issues.listForRepo({ owner, repo, state: 'open', labels: LABEL, per_page: PAGE })
    const known = open.find(issue => issue.pull_request === undefined && issue.body?.includes(mark) === true)
    if (known !== undefined) {
      await octokit.rest.issues.createComment({ owner, repo, issue_number: known.number, body: cut(report) })
      return known.number
    }
    const body = `${cut(report)}\n\n${mark}\n`
    const { data: made } = await octokit.rest.issues.create({
      owner,
      repo,
      title: foreignLine(title, LONGEST_TITLE),
      body,
      labels: [LABEL],
    })
    return made.number
  } catch (error) {
    throw explain(error, `${owner}/${repo}`)
  }
}

function cut(report: string): string {
  return report.length <= LONGEST_BODY
    ? report
    : `${report.slice(0, LONGEST_BODY)}\n\n(The report was cut here; the whole is in the run's summary.)`
}

function explain(error: unknown, repository: string): ExpectedFailure {
  const status = (error as { status?: unknown } | undefined)?.status
  const said = foreignLine(messageOf(error), 200)
  if (status === 401 || status === 403 || status === 404)
    return new ExpectedFailure(
      'Forbidden',
      `The incident issue in ${repository} was not written: ${said}. The token needs "issues: write" in the job's permissions.`,
      { cause: error },
    )
  if (status === 410)
    return new ExpectedFailure('NotFound', `The incident issue was not written: ${repository} has its issues switched off.`, {
      cause: error,
    })
  return new ExpectedFailure('Unreachable', `The incident issue in ${repository} was not written: ${said}.`, { cause: error })
}
