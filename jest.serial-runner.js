/** Jest's own runner, one test file at a time whatever `maxWorkers` says. */
import TestRunner from 'jest-runner'

export default class SerialRunner extends TestRunner {
  isSerial = true
}
