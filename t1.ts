import { parseCheckFile } from './src/checks/check-file/read.ts'
import { checkFileSchema } from './src/checks/check-file/schema.ts'
import { z } from 'zod'
for (const text of ['smoke:\n  steps:\n    - gett: /x\n', 'smoke:\n  steps:\n    - get: /x\n      expect: {statu: 200}\n','smoke:\n  steps:\n    - get: /x\n      expect: {status: ok}\n','smoke:\n  steps:\n    - run: ls\n','smoke:\n  steps:\n    - tcp: a\n      timeout: 5\n',
'smoke:\n  steps:\n    - get: a\n      expect: {json: {.a: {matchs: a}}}\n','smoke:\n  steps:\n    - steps: [{get: 1}]\n', 'smoke:\n  steps:\n    - tls: a\n      expect: {days-left: x, name: [b]}\n','smoke:\n  steps: []\n','smoke:\n  steps:\n    - get: a\n      post: b\n      timeout: 5x\n', 'smoke:\n  steps:\n    - get\n','smoke:\n  steps:\n    - graphql: a\n']) {
  try { console.log(JSON.stringify(parseCheckFile(text, 'c.yml', {}).content)) } catch (e: any) { console.log(e.message, e.also.map((x:any)=>x.message)) }
}
const s=z.toJSONSchema(checkFileSchema,{io:'input'}); console.log(JSON.stringify(s).length, Object.keys(s), Object.keys((s as any).$defs))
