// The sandbox's command line, parsed into one command.

export const partNames = ['cluster', 'registry', 'builder', 'tools', 'github', 'aws'] as const
export type PartName = (typeof partNames)[number]

export type Command =
  | { command: 'up'; parts: PartName[] }
  | { command: 'down'; parts: PartName[]; purge: boolean }
  | { command: 'status'; as: 'table' | 'env' | 'json' }
  | { command: 'stop' | 'start'; process: string }
  | { command: 'help' }

export const usage = `usage: npm run sandbox -- COMMAND

  up [PART...]            bring up all parts, or those named: ${partNames.join(', ')}
  down [PART...]          end them; --purge also removes the state folder
  status                  what runs; --env prints export lines for a shell, --json the same as JSON
  stop NAME, start NAME   end or start one process, such as kube-apiserver

State, logs and env.json are in $SANDBOX_DIR, or deploy-actions-sandbox in the folder for temporary files.
`

/** Throws with the fault and the usage when the arguments make no command. */
export function parseArguments(argv: readonly string[]): Command {
  const flags = argv.filter(argument => argument.startsWith('-'))
  const [command, ...rest] = argv.filter(argument => !argument.startsWith('-'))
  const allow = (...allowed: string[]): void => {
    const unknown = flags.find(flag => !allowed.includes(flag))
    if (unknown) throw new Error(`unknown option ${unknown}\n${usage}`)
  }
  if (flags.includes('--help') || flags.includes('-h') || command === 'help' || command === undefined) return { command: 'help' }
  switch (command) {
    case 'up':
      allow()
      return { command, parts: parseParts(rest) }
    case 'down':
      allow('--purge')
      if (flags.length > 0 && rest.length > 0) throw new Error(`--purge removes everything and takes no parts\n${usage}`)
      return { command, parts: parseParts(rest), purge: flags.length > 0 }
    case 'status':
      allow('--env', '--json')
      if (rest.length > 0 || flags.length > 1) throw new Error(`status takes --env or --json\n${usage}`)
      return { command, as: flags[0] === '--env' ? 'env' : flags[0] === '--json' ? 'json' : 'table' }
    case 'stop':
    case 'start': {
      allow()
      const [process, ...more] = rest
      if (!process || more.length > 0) throw new Error(`${command} takes the name of one process\n${usage}`)
      return { command, process }
    }
    default:
      throw new Error(`unknown command ${command}\n${usage}`)
  }
}

function parseParts(names: readonly string[]): PartName[] {
  const unknown = names.find(name => !partNames.some(part => part === name))
  if (unknown) throw new Error(`unknown part ${unknown}\n${usage}`)
  const chosen = partNames.filter(part => names.length === 0 || names.includes(part))
  return [...chosen]
}
