// What a release is named by.

/** The input `app`, else the repository's own name. */
export function appName(given: string, env: NodeJS.ProcessEnv): string {
  if (given !== '') return given
  return (env['GITHUB_REPOSITORY'] ?? '').split('/')[1] ?? 'app'
}
