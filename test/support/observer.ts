// An observer that keeps what is reported to it, and its gauges to be read.

import type {
  CallObservation,
  FlushObservation,
  GaugeName,
  Observer,
  RequestObservation,
  TaskObservation,
} from '../../src/domain/observer.ts';

export interface RecordingObserver extends Observer {
  readonly calls: CallObservation[];
  readonly flushes: FlushObservation[];
  readonly tasks: TaskObservation[];
  readonly requests: RequestObservation[];
  read(name: GaugeName): number | null;
}

export function createRecordingObserver(): RecordingObserver {
  const calls: CallObservation[] = [];
  const flushes: FlushObservation[] = [];
  const tasks: TaskObservation[] = [];
  const requests: RequestObservation[] = [];
  const gauges = new Map<GaugeName, () => number>();
  return {
    calls,
    flushes,
    tasks,
    requests,
    call: (observation) => void calls.push(observation),
    flush: (observation) => void flushes.push(observation),
    task: (observation) => void tasks.push(observation),
    request: (observation) => void requests.push(observation),
    gauge: (name, read) => void gauges.set(name, read),
    read: (name) => gauges.get(name)?.() ?? null,
  };
}
