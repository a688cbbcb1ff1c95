// The AWS simulator as a process of its own. Usage: node serve.ts [PORT [SPEED]]
import { startAws } from './aws.ts'

const [port = 0, speed = 1] = process.argv.slice(2).map(Number)
const { endpoint } = await startAws({ port, speed })
process.stdout.write(`${endpoint}\n`)
