// The app that the tests deploy: busybox's httpd behind a Service, in good and in bad versions.
import { sandboxEnvironment } from '../../sandbox/index.ts'

export interface WebApp {
  readonly name?: string
  readonly version?: string
  readonly replicas?: number | 'none'
  /** What the container runs instead of the web server. */
  readonly command?: string
  readonly image?: string
  /** Further lines of the container, as YAML, indented by ten. */
  readonly container?: string
  /** The ConfigMap's content. */
  readonly greeting?: string
}

/** Deployment, Service and ConfigMap as a user would write them: no request is lost while pods are replaced. */
export function webApp({
  name = 'web',
  version = '1',
  replicas = 2,
  command,
  image,
  container = '',
  greeting = 'hello',
}: WebApp = {}): string {
  const serve = `mkdir -p /w; echo '{"version":"${version}"}' > /w/index.html; exec httpd -f -p 8080 -h /w`
  return `apiVersion: v1
kind: Service
metadata:
  name: ${name}
spec:
  selector:
    app: ${name}
  ports:
    - port: 80
      targetPort: 8080
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: ${name}
data:
  greeting: ${JSON.stringify(greeting)}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:${replicas === 'none' ? '' : `\n  replicas: ${replicas}`}
  selector:
    matchLabels:
      app: ${name}
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  template:
    metadata:
      labels:
        app: ${name}
      annotations:
        version: "${version}"
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: app
          image: ${image ?? sandboxEnvironment().BASE_IMAGE}
          command: ["sh", "-c", ${JSON.stringify(command ?? serve)}]
          envFrom:
            - configMapRef:
                name: ${name}
          readinessProbe:
            httpGet:
              path: /
              port: 8080
            periodSeconds: 1
          lifecycle:
            preStop:
              exec:
                command: ["sleep", "2"]
${container}`
}
