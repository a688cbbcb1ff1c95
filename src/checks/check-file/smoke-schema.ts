// The check file's `smoke:` part: its steps, of every kind.
import { z } from 'zod'
import { httpExpectSchema, jsonDemands, matcherSchema, stateSchema, timedExpect } from './expect-schema.ts'
import { count, duration, share, template, VARIABLE_NAME } from './fields.ts'

const onUnreachable = z.enum(['failed', 'inconclusive'])

/** When a step, or all of them, is asked again. */
const asking = {
  timeout: duration(100)
    .optional()
    .meta({ description: 'Time for the step, all its tries included. Never more than is left of the whole.' }),
  interval: duration().optional().meta({ description: 'Wait after an answer that is not right.' }),
  consecutive: count(1, 1_000).optional().meta({ description: 'Right answers in a row that make a pass.' }),
  'failure-limit': count(0, 10_000).optional().meta({
    description:
      'Wrong answers that are borne: one more fails the step at once. Without it a wrong answer is asked again until timeout; what may change something (POST, run) bears none.',
  }),
  'on-unreachable': onUnreachable.optional().meta({ description: 'The result when there was never a connection.' }),
  'request-timeout': duration(10).optional().meta({ description: 'Time for one try; 10s where nothing is said.' }),
}

const step = {
  name: z
    .string()
    .regex(/^\S(.{0,78}\S)?$/, { error: 'must be 1 to 80 characters, without spaces around' })
    .optional()
    .meta({ description: 'What reports and needs call the step.' }),
  needs: z
    .union([z.string(), z.array(z.string())], { error: 'must be the name of a step, or a list of names' })
    .transform(names => [names].flat())
    .optional()
    .meta({ description: 'Steps that must have passed before. Steps whose captures are used need not be named.' }),
  ...asking,
}

const tls = z
  .strictObject({
    ca: template.optional().meta({ description: 'PEM file of an authority to trust besides the usual ones, or its content.' }),
    cert: template.optional().meta({ description: "PEM file of the client's certificate, or its content." }),
    key: template.optional().meta({ description: "PEM file of the client's key, or its content." }),
    'server-name': template
      .optional()
      .meta({ description: 'Name to ask for and to find in the certificate, in place of the host.' }),
    verify: z.boolean().optional().meta({ description: 'false takes any certificate.' }),
  })
  .refine(given => (given.cert === undefined) === (given.key === undefined), { error: 'needs cert and key together' })

const resolve = template.optional().meta({
  description:
    'IP address (with or without port) to connect to in place of looking the host up; name and certificate stay those of the address.',
})

/** How a server is reached and who asks. */
const connection = {
  headers: z
    .record(z.string().regex(/^[!#$%&'*+.^_`|~\w-]+$/, { error: "must be a header's name" }), template)
    .optional()
    .meta({ description: 'Request headers. They go to the host asked, and to no other it redirects to.' }),
  bearer: template.optional().meta({ description: 'Token for the header Authorization.' }),
  basic: z.strictObject({ user: template, password: template }).optional(),
  tls: tls.optional(),
  resolve,
}

const captureName = z.string().regex(VARIABLE_NAME, { error: 'must be a name of letters, digits, _ and -' })
const capture = z
  .record(
    captureName,
    z
      .string()
      .regex(/^([.$[].*|header:\s*\S+|body)$/, { error: 'must be a path such as .id or $.items[0], header:<name>, or body' }),
  )
  .optional()
  .meta({ description: 'Names and where their values are in a right answer: .id, $.items[0].id, header:location, body.' })

const poll = z
  .strictObject({
    until: stateSchema.meta({ description: 'What an answer says when it is done.' }),
    'fail-when': stateSchema.optional().meta({ description: 'What an answer says when it will never be done.' }),
    interval: duration().optional(),
    'back-off': z.number().min(1).max(10).optional().meta({ description: 'Each wait is so many times the one before.' }),
    'longest-interval': duration().optional(),
  })
  .optional()
  .meta({ description: 'The request is made again until the answer says that it is done.' })

const repeat = z
  .strictObject({
    for: duration(10).optional(),
    requests: count(1, 100_000).optional(),
    parallel: count(1, 256).optional().meta({ description: 'Clients at once; 1 where nothing is said.' }),
    'p95-below': duration().optional(),
    'error-rate-below': share
      .optional()
      .meta({ description: 'Share of requests that may go wrong; none where nothing is said.' }),
  })
  .refine(given => (given.for === undefined) !== (given.requests === undefined), { error: 'needs one of for and requests' })
  .optional()
  .meta({ description: 'Many requests, of which the share of wrong ones and the 95th percentile of the times are judged.' })

const version = z
  .strictObject({
    expected: template,
    from: z
      .string()
      .regex(/^([.[].*|header:\s*\S+|body)$/, { error: 'must be a path such as .version, header:<name>, or body' })
      .optional()
      .meta({ description: 'Where an answer says its version; .version where nothing is said.' }),
  })
  .optional()
  .meta({
    description:
      'Proof of the version: consecutive answers (10 where nothing is said), each on a fresh connection, must all be from it.',
  })

const sse = z
  .strictObject({
    'first-within': duration()
      .optional()
      .meta({ description: 'The first event must have come by then, from the start of the request.' }),
    events: count(1, 100_000).optional().meta({ description: 'So many events must come.' }),
    event: z
      .strictObject({ name: matcherSchema.optional(), data: matcherSchema.optional(), json: jsonDemands.optional() })
      .optional()
      .meta({ description: 'One of the events must be like this.' }),
    within: duration().optional().meta({ description: 'Time for all of it; 30s where nothing is said.' }),
  })
  .optional()
  .meta({ description: 'The answer is a stream of server-sent events.' })

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'] as const
const BODIES = ['json', 'form', 'body', 'upload'] as const
const url = template.optional()

const http = z
  .strictObject({
    get: url,
    head: url,
    post: url,
    put: url,
    patch: url,
    delete: url,
    options: url,
    ...step,
    ...connection,
    query: z.record(z.string(), z.union([template, z.number(), z.boolean(), z.array(template)])).optional(),
    json: z.unknown().optional().meta({ description: 'Body, sent as JSON.' }),
    form: z.record(z.string(), z.union([template, z.number(), z.boolean()])).optional(),
    body: template.optional().meta({ description: 'Body as it is.' }),
    upload: z
      .strictObject({
        file: template.meta({ description: 'A file of the workspace.' }),
        field: template.optional().meta({ description: '"file" where nothing is said.' }),
        name: template.optional().meta({ description: "The file's own name where nothing is said." }),
        type: template.optional(),
        fields: z.record(z.string(), template).optional(),
      })
      .optional()
      .meta({ description: 'A file sent as multipart/form-data.' }),
    redirects: count(0, 20).optional().meta({ description: 'Redirects that are followed; 5 where nothing is said.' }),
    http2: z.boolean().optional().meta({ description: 'Ask by HTTP/2, and fail where the server does not speak it.' }),
    expect: httpExpectSchema.optional(),
    version,
    poll,
    sse,
    repeat,
    capture,
  })
  .refine(given => METHODS.filter(method => given[method] !== undefined).length === 1, {
    error: `needs one of ${METHODS.join(', ')} (or websocket, graphql, tcp, tls, dns, grpc, run, steps)`,
    abort: true,
  })
  .refine(given => BODIES.filter(body => given[body] !== undefined).length < 2, {
    error: `takes one of ${BODIES.join(', ')}`,
    abort: true,
  })
  .refine(given => ['repeat', 'sse', 'poll'].filter(mode => mode in given).length < 2, {
    error: 'takes one of poll, sse, repeat',
    abort: true,
  })
  .refine(given => given.repeat === undefined || given.capture === undefined, {
    error: 'cannot capture from repeated requests',
    abort: true,
  })
  .refine(given => given.bearer === undefined || given.basic === undefined, {
    error: 'takes one of bearer and basic',
    abort: true,
  })
  .meta({ id: 'http', description: 'An HTTP request.' })

const graphql = z
  .strictObject({
    graphql: template.meta({ description: 'Address of the GraphQL endpoint.' }),
    ...step,
    ...connection,
    query: template,
    variables: z.record(z.string(), z.unknown()).optional(),
    'operation-name': template.optional(),
    http2: z.boolean().optional(),
    expect: httpExpectSchema.optional().meta({ description: 'As of an HTTP request. An answer with errors is wrong.' }),
    capture,
  })
  .meta({ id: 'graphql', description: 'A GraphQL query.' })

const websocket = z
  .strictObject({
    websocket: template.meta({ description: 'ws:// or wss:// address.' }),
    ...step,
    ...connection,
    protocols: z.array(template).optional(),
    send: z.unknown().optional().meta({ description: 'Message to send, a text; anything else is sent as JSON.' }),
    expect: z
      .strictObject({
        message: z
          .union([matcherSchema, z.strictObject({ json: jsonDemands })])
          .optional()
          .meta({ description: 'One of the messages that come must be like this.' }),
        'time-below': duration().optional(),
      })
      .optional(),
  })
  .meta({ id: 'websocket', description: 'A WebSocket: the connection, and a message that must come.' })

const tcp = z
  .strictObject({
    tcp: template.meta({ description: 'host:port' }),
    ...step,
    resolve,
    send: template.optional(),
    expect: z
      .strictObject({
        answer: matcherSchema.optional().meta({ description: 'What the server sends first.' }),
        'time-below': duration().optional(),
      })
      .optional(),
  })
  .meta({ id: 'tcp', description: 'A TCP connection.' })

const certificate = z
  .strictObject({
    tls: template.meta({ description: 'host or host:port (443 where nothing is said).' }),
    ...step,
    resolve,
    ca: template.optional(),
    'server-name': template.optional(),
    expect: z
      .strictObject({
        'days-left': z
          .number()
          .min(0)
          .optional()
          .meta({ description: 'Days for which the certificate, and each of its chain, must be valid yet.' }),
        names: z
          .array(template)
          .optional()
          .meta({ description: 'Names that the certificate must be for, besides the one asked for.' }),
        chain: z.enum(['trusted', 'any']).optional(),
        issuer: matcherSchema.optional(),
      })
      .optional(),
  })
  .meta({ id: 'tls', description: "A server's certificate." })

const dns = z
  .strictObject({
    dns: template.meta({ description: 'Name to look up.' }),
    ...step,
    type: z
      .enum(['A', 'AAAA', 'CNAME', 'MX', 'NS', 'TXT', 'SRV', 'CAA', 'PTR'])
      .optional()
      .meta({ description: 'A where nothing is said.' }),
    server: template
      .optional()
      .meta({ description: "IP address (with or without port) of the DNS server; the machine's own where nothing is said." }),
    expect: z
      .strictObject({
        records: z
          .strictObject({
            contains: z.array(template).optional(),
            equals: z.array(template).optional(),
            'at-least': z.int().min(1).optional(),
          })
          .optional(),
        'time-below': duration().optional(),
      })
      .optional(),
  })
  .meta({ id: 'dns', description: 'A DNS name.' })

const grpc = z
  .strictObject({
    grpc: template.meta({ description: 'host:port, or grpc:// or grpcs:// and these.' }),
    ...step,
    service: template.optional().meta({ description: 'Name of the service; the whole server where nothing is said.' }),
    headers: connection.headers,
    bearer: connection.bearer,
    tls: tls.optional(),
    resolve,
    expect: timedExpect.optional(),
  })
  .meta({ id: 'grpc', description: 'The health of a gRPC server (grpc.health.v1).' })

const run = z
  .strictObject({
    run: z.array(template, { error: 'must be a list: the program and its arguments, for there is no shell' }).min(1),
    ...step,
    input: template.optional().meta({ description: 'What the program reads on standard input.' }),
    env: z.record(z.string(), template).optional(),
    folder: template.optional().meta({ description: 'Folder of the workspace in which it runs.' }),
    expect: z
      .strictObject({
        exit: z.int().min(0).max(255).optional(),
        stdout: matcherSchema.optional(),
        stderr: matcherSchema.optional(),
        json: jsonDemands.optional().meta({ description: 'Of standard output.' }),
        'time-below': duration().optional(),
      })
      .optional(),
    capture,
  })
  .meta({ id: 'run', description: 'A program of your own: exit code 0 passes.' })

const single = [http, graphql, websocket, tcp, certificate, dns, grpc, run] as const

const group = z
  .strictObject({
    name: step.name,
    needs: step.needs,
    steps: z.array(z.union(single)).min(1).max(200).meta({ description: 'Steps, one after the other.' }),
    timeout: asking.timeout,
  })
  .meta({ id: 'group', description: 'Steps that follow one another; the first that does not pass ends it.' })

export const smokeSchema = z.strictObject({
  timeout: duration(100).optional().meta({ description: 'Time for all checks together.' }),
  interval: asking.interval,
  consecutive: asking.consecutive,
  'failure-limit': asking['failure-limit'],
  'on-unreachable': asking['on-unreachable'],
  'request-timeout': asking['request-timeout'],
  parallel: count(1, 256).optional().meta({ description: 'Steps that run at once; 100 where nothing is said.' }),
  'fail-fast': z
    .boolean()
    .optional()
    .meta({ description: 'true where nothing is said: once a step has failed, nothing more is waited for.' }),
  'base-url': template.optional().meta({ description: 'Address that addresses such as /health are taken from.' }),
  defaults: z
    .strictObject(connection)
    .optional()
    .meta({ description: 'For all steps that ask over HTTP or WebSocket at the host of base-url.' }),
  steps: z
    .array(z.union([...single, group]))
    .min(1)
    .max(500),
})

export type Smoke = z.output<typeof smokeSchema>
export type SmokeStep = Smoke['steps'][number]
export type GroupStep = z.output<typeof group>
export type HttpStep = z.output<typeof http>
export type GraphqlStep = z.output<typeof graphql>
export type WebSocketStep = z.output<typeof websocket>
export type TcpStep = z.output<typeof tcp>
export type CertificateStep = z.output<typeof certificate>
export type DnsStep = z.output<typeof dns>
export type GrpcStep = z.output<typeof grpc>
export type RunStep = z.output<typeof run>
export type TlsFiles = z.output<typeof tls>
export type SingleStep = Exclude<SmokeStep, GroupStep>
