// An answer that is no success, as every service gives it: a code, a sentence, and whatever fields the model adds.

export class AwsError extends Error {
  readonly code: string
  readonly status: number
  readonly fields: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, { status = 400, ...fields }: { status?: number } & Record<string, unknown> = {}) {
    super(message)
    this.code = code
    this.status = status
    this.fields = fields
  }
}

/** What a fault of a scenario says, by its code, where the scenario has no words of its own. */
export function commonError(code: string, action: string, caller: string, resource: string): AwsError {
  switch (code) {
    case 'ThrottlingException':
    case 'Throttling':
      return new AwsError(code, 'Rate exceeded')
    case 'AccessDeniedException':
    case 'AccessDenied':
      return new AwsError(
        code,
        `User: ${caller} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`,
        { status: code === 'AccessDenied' ? 403 : 400 },
      )
    case 'ExpiredTokenException':
    case 'ExpiredToken':
      return new AwsError(code, 'The security token included in the request is expired', {
        status: code === 'ExpiredToken' ? 403 : 400,
      })
    case 'UnrecognizedClientException':
    case 'InvalidClientTokenId':
      return new AwsError(code, 'The security token included in the request is invalid.', { status: 403 })
    case 'ServerException':
    case 'InternalFailure':
    case 'InternalServerError':
      return new AwsError(code, 'Service Unavailable. Please try again later.', { status: 500 })
    case 'ServiceUnavailable':
    case 'ServiceUnavailableException':
      return new AwsError(code, 'Service is unable to handle request.', { status: 503 })
    default:
      return new AwsError(code, code)
  }
}
