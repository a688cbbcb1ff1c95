// Where a run can be looked at.

/** The address of this run's page; empty outside of a workflow. */
export function runAddress(env: NodeJS.ProcessEnv): string {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: id } = env
  return server && repository && id ? `${server}/${repository}/actions/runs/${id}` : ''
}
