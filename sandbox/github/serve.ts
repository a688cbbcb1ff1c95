// The fake of GitHub's API as a process of its own. Usage: node serve.ts [PORT]
import { startGitHub } from './server.ts'

const { url } = await startGitHub({ port: Number(process.argv[2] ?? 0) })
process.stdout.write(`${url}\n`)
