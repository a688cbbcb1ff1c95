import { smokeSchema } from './src/checks/check-file/smoke-schema.ts'
import { describeIssue } from './src/checks/check-file/faults.ts'
console.dir(smokeSchema.safeParse({steps:[{run:'ls'}]}, {error: describeIssue}).error?.issues,{depth:6})
