// Amazon RDS, as far as a migration's snapshot asks for it: instances and clusters, and snapshots of them that take their time.
import { AwsError } from '../protocol/errors.ts'
import type { Service } from '../service.ts'
import type { Region } from '../world.ts'

interface Database {
  readonly id: string
  readonly engine: string
  readonly createdAt: number
}

interface Snapshot {
  readonly id: string
  readonly of: Database
  readonly begunAt: number
  /** Seconds. */
  readonly takes: number
}

class Rds {
  readonly region: Region
  readonly instances = new Map<string, Database>()
  readonly clusters = new Map<string, Database>()
  readonly snapshots = new Map<string, Snapshot>()
  readonly clusterSnapshots = new Map<string, Snapshot>()

  constructor(region: Region) {
    this.region = region
  }
}

interface Named {
  readonly [name: string]: string | undefined
}

const progress = (region: Region, one: Snapshot): { percent: number; status: string } => {
  const percent = Math.min(100, Math.floor((100 * (region.world.now() - one.begunAt)) / one.takes))
  return { percent, status: percent < 100 ? 'creating' : 'available' }
}

const instance = (region: Region, one: Database): object => ({
  DBInstanceIdentifier: one.id,
  DBInstanceClass: 'db.t4g.micro',
  Engine: one.engine,
  DBInstanceStatus: 'available',
  AllocatedStorage: 20,
  InstanceCreateTime: one.createdAt,
  DBInstanceArn: region.arn('rds', `db:${one.id}`),
})

const cluster = (region: Region, one: Database): object => ({
  DBClusterIdentifier: one.id,
  Engine: one.engine,
  Status: 'available',
  ClusterCreateTime: one.createdAt,
  DBClusterArn: region.arn('rds', `cluster:${one.id}`),
})

const snapshot = (region: Region, one: Snapshot): object => {
  const { percent, status } = progress(region, one)
  return {
    DBSnapshotIdentifier: one.id,
    DBInstanceIdentifier: one.of.id,
    ...(status === 'available' && { SnapshotCreateTime: one.begunAt }),
    Engine: one.of.engine,
    AllocatedStorage: 20,
    Status: status,
    PercentProgress: percent,
    SnapshotType: 'manual',
    DBSnapshotArn: region.arn('rds', `snapshot:${one.id}`),
  }
}

const clusterSnapshot = (region: Region, one: Snapshot): object => {
  const { percent, status } = progress(region, one)
  return {
    DBClusterSnapshotIdentifier: one.id,
    DBClusterIdentifier: one.of.id,
    SnapshotCreateTime: one.begunAt,
    Engine: one.of.engine,
    Status: status,
    PercentProgress: percent,
    SnapshotType: 'manual',
    DBClusterSnapshotArn: region.arn('rds', `cluster-snapshot:${one.id}`),
  }
}

function must<T>(found: T | undefined, code: string, message: string): T {
  if (found === undefined) throw new AwsError(code, message, { status: 404 })
  return found
}

const take = (region: Region, id: string, of: Database): Snapshot => ({
  ...{ id, of, begunAt: region.world.now(), takes: region.world.timing.snapshot },
})

export const rds: Service = {
  model: 'rds',
  invalid: 'InvalidParameterValue',
  handlers: {
    CreateDBInstance: (input: Named, { region, world }) => {
      const made = { id: input['DBInstanceIdentifier'] ?? '', engine: input['Engine'] ?? 'postgres', createdAt: world.now() }
      region.part(Rds).instances.set(made.id, made)
      return { DBInstance: instance(region, made) }
    },
    DescribeDBInstances: (input: Named, { region }) => {
      const id = input['DBInstanceIdentifier']
      const { instances } = region.part(Rds)
      if (id === undefined) return { DBInstances: [...instances.values()].map(one => instance(region, one)) }
      return {
        DBInstances: [instance(region, must(instances.get(id), 'DBInstanceNotFoundFault', `DBInstance ${id} not found.`))],
      }
    },
    CreateDBSnapshot: (input: Named, { region }) => {
      const state = region.part(Rds)
      const [id = '', of = ''] = [input['DBSnapshotIdentifier'], input['DBInstanceIdentifier']]
      const database = must(state.instances.get(of), 'DBInstanceNotFoundFault', `DBInstance ${of} not found.`)
      if (state.snapshots.has(id))
        throw new AwsError(
          'DBSnapshotAlreadyExistsFault',
          `Cannot create the snapshot because a snapshot with the identifier ${id} already exists.`,
        )
      const made = take(region, id, database)
      state.snapshots.set(id, made)
      return { DBSnapshot: snapshot(region, made) }
    },
    DescribeDBSnapshots: (input: Named, { region }) => {
      const { snapshots } = region.part(Rds)
      const id = input['DBSnapshotIdentifier']
      if (id !== undefined) must(snapshots.get(id), 'DBSnapshotNotFoundFault', `DBSnapshot not found: ${id}`)
      const found = [...snapshots.values()].filter(
        one => (id ?? one.id) === one.id && (input['DBInstanceIdentifier'] ?? one.of.id) === one.of.id,
      )
      return { DBSnapshots: found.map(one => snapshot(region, one)) }
    },
    DeleteDBSnapshot: (input: Named, { region }) => {
      const { snapshots } = region.part(Rds)
      const id = input['DBSnapshotIdentifier'] ?? ''
      const found = must(snapshots.get(id), 'DBSnapshotNotFoundFault', `DBSnapshot not found: ${id}`)
      snapshots.delete(id)
      return { DBSnapshot: { ...snapshot(region, found), Status: 'deleted' } }
    },
    CreateDBCluster: (input: Named, { region, world }) => {
      const made = {
        id: input['DBClusterIdentifier'] ?? '',
        engine: input['Engine'] ?? 'aurora-postgresql',
        createdAt: world.now(),
      }
      region.part(Rds).clusters.set(made.id, made)
      return { DBCluster: cluster(region, made) }
    },
    DescribeDBClusters: (input: Named, { region }) => {
      const id = input['DBClusterIdentifier']
      const { clusters } = region.part(Rds)
      if (id === undefined) return { DBClusters: [...clusters.values()].map(one => cluster(region, one)) }
      return { DBClusters: [cluster(region, must(clusters.get(id), 'DBClusterNotFoundFault', `DBCluster ${id} not found.`))] }
    },
    CreateDBClusterSnapshot: (input: Named, { region }) => {
      const state = region.part(Rds)
      const [id = '', of = ''] = [input['DBClusterSnapshotIdentifier'], input['DBClusterIdentifier']]
      const database = must(state.clusters.get(of), 'DBClusterNotFoundFault', `DBCluster ${of} not found.`)
      if (state.clusterSnapshots.has(id))
        throw new AwsError(
          'DBClusterSnapshotAlreadyExistsFault',
          `Cannot create the snapshot because a snapshot with the identifier ${id} already exists.`,
        )
      const made = take(region, id, database)
      state.clusterSnapshots.set(id, made)
      return { DBClusterSnapshot: clusterSnapshot(region, made) }
    },
    DescribeDBClusterSnapshots: (input: Named, { region }) => {
      const { clusterSnapshots } = region.part(Rds)
      const id = input['DBClusterSnapshotIdentifier']
      if (id !== undefined) must(clusterSnapshots.get(id), 'DBClusterSnapshotNotFoundFault', `DBClusterSnapshot not found: ${id}`)
      const found = [...clusterSnapshots.values()].filter(
        one => (id ?? one.id) === one.id && (input['DBClusterIdentifier'] ?? one.of.id) === one.of.id,
      )
      return { DBClusterSnapshots: found.map(one => clusterSnapshot(region, one)) }
    },
    DeleteDBClusterSnapshot: (input: Named, { region }) => {
      const { clusterSnapshots } = region.part(Rds)
      const id = input['DBClusterSnapshotIdentifier'] ?? ''
      const found = must(clusterSnapshots.get(id), 'DBClusterSnapshotNotFoundFault', `DBClusterSnapshot not found: ${id}`)
      clusterSnapshots.delete(id)
      return { DBClusterSnapshot: { ...clusterSnapshot(region, found), Status: 'deleted' } }
    },
    ListTagsForResource: () => ({ TagList: [] }),
  },
}
