// Programs that are found on PATH or else built once from their pinned Go modules beside this file.
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, isExecutable } from '../command.ts'
import { say } from '../progress.ts'
import { link, statePath } from '../state.ts'
import { goBuild } from './go.ts'

/** Main package of each tool; its version is pinned in <tool>/go.mod. */
const packages = {
  act: 'github.com/nektos/act',
  actionlint: 'github.com/rhysd/actionlint/cmd/actionlint',
  buildx: 'github.com/docker/buildx/cmd/buildx',
  buildkitd: 'github.com/moby/buildkit/cmd/buildkitd',
  helm: 'helm.sh/helm/v4/cmd/helm',
}

export type Tool = keyof typeof packages

const builtPath = (tool: Tool): string => statePath('tools', tool)
const linkPath = (tool: Tool): string => statePath('bin', tool)

/** Where a tool is at hand without building: linked before, on PATH, or built before. */
export function toolAtHand(tool: Tool): string | undefined {
  if (isExecutable(linkPath(tool))) return realpathSync(linkPath(tool))
  return findProgram(tool, statePath('bin')) ?? (isExecutable(builtPath(tool)) ? builtPath(tool) : undefined)
}

/** Makes a tool available as <state>/bin/<tool>, and answers that path. */
export async function provideTool(part: string, tool: Tool): Promise<string> {
  const atHand = toolAtHand(tool)
  if (!atHand) {
    say(part, `${tool} is not on PATH; building it from its Go module`)
    await goBuild({ part, name: tool, folder: join(import.meta.dirname, tool), target: packages[tool], output: builtPath(tool) })
  }
  link(atHand ?? builtPath(tool), linkPath(tool))
  return linkPath(tool)
}

export async function toolsUp(): Promise<void> {
  await Promise.all([provideTool('tools', 'act'), provideTool('tools', 'actionlint'), provideTool('tools', 'helm')])
  say('tools', 'act, actionlint and helm ready')
}
