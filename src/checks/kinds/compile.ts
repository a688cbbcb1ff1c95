// A step of any kind made ready. What each kind needs is loaded only where a file has one.
import type { CertificateStep, HttpStep, SingleStep } from '../check-file/smoke-schema.ts'
import type { Scope } from '../smoke/scope.ts'
import type { CompiledStep, Tools } from './kind.ts'

/**
 * @param captures names that other steps capture: they have no value yet
 * @throws StepFault
 */
export async function compileStep(
  step: SingleStep,
  path: readonly PropertyKey[],
  tools: Tools,
  scope: Scope,
  captures: ReadonlySet<string>,
): Promise<CompiledStep> {
  if ('graphql' in step) return (await import('./graphql-step.ts')).compileGraphql(step, path, tools, scope, captures)
  if ('websocket' in step) return (await import('./websocket-step.ts')).compileWebSocket(step, path, tools, scope, captures)
  if ('tcp' in step) return (await import('./tcp-step.ts')).compileTcp(step, path, tools)
  if ('dns' in step) return (await import('./dns-step.ts')).compileDns(step, path, tools)
  if ('grpc' in step) return (await import('./grpc-step.ts')).compileGrpc(step, path, tools)
  if ('run' in step) return (await import('./run-step.ts')).compileRun(step, path, tools)
  if (isCertificate(step)) return (await import('./tls-step.ts')).compileTls(step, path, tools)
  return (await import('./http-step.ts')).compileHttp(step as HttpStep, path, tools, scope, captures)
}

/** An HTTP request may have settings named tls, and no address there. */
function isCertificate(step: object): step is CertificateStep {
  return 'tls' in step && typeof step.tls === 'string'
}
