/** Active health checks of the targets of a service. */
export interface HealthEntry {
  readonly kind: 'http' | 'tcp' | 'grpc';
  /** Milliseconds. */
  readonly interval: number;
  readonly timeout: number;
  /** Percentage of the interval by which each wait differs from it at most. */
  readonly jitter: number;
  /** Successful checks in a row that make an unhealthy target healthy, and failed ones that make it unhealthy. */
  readonly healthyAfter: number;
  readonly unhealthyAfter: number;
  /** A target gets no requests before its first successful check. */
  readonly waits?: true;
  /** Absent: that of the target. */
  readonly port?: number;
  /** Of `http`. */
  readonly method?: string;
  readonly path?: string;
  /** Absent: that of the target. */
  readonly host?: string;
  /** Ranges of statuses, both ends included. */
  readonly statuses?: readonly (readonly [from: number, to: number])[];
  /** Text that the body contains; absent: any body. */
  readonly body?: string;
  /** Of `grpc`: the name of the service that is asked for; absent: the whole server. */
  readonly service?: string;
}
