// The Helm chart that the tests deploy: a Deployment that sleeps, a ConfigMap that says what the templates were told, a hook and a test.

/** Files of the chart below `folder`. `container` are further lines of the container, as YAML, indented by ten. */
export function chartFiles(folder: string, { container = '' } = {}): Record<string, string> {
  const files = {
    'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\n',
    'values.yaml': 'image: none\nreplicas: 2\ngreeting: hello\nmigration: echo migrated\n',
    'templates/config.yaml': `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-web
data:
  greeting: {{ .Values.greeting | quote }}
  event: {{ .Release.IsUpgrade | ternary "upgrade" "install" }}
  kinds: {{ .Capabilities.APIVersions.Has "discovery.k8s.io/v1/EndpointSlice" | quote }}
  version: {{ semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version | ternary "v1" "v1beta1" }}
`,
    'templates/deployment.yaml': `{{- if .Values.image }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-web
  labels:
    app.kubernetes.io/managed-by: {{ .Release.Service }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels:
      app: {{ .Release.Name }}
  template:
    metadata:
      labels:
        app: {{ .Release.Name }}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: app
          image: {{ .Values.image }}
          command: ["sleep", "600"]
${container}{{- end }}
`,
    'templates/migrate.yaml': `apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-web-migrate
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
        - name: app
          image: {{ .Values.image }}
          command: ["sh", "-c", {{ .Values.migration | quote }}]
`,
    'templates/tests/test.yaml': `apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-web-test
  annotations:
    helm.sh/hook: test
spec:
  containers:
    - name: app
      image: {{ .Values.image }}
`,
  }
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]))
}
