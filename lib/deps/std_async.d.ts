export function abortable<T>(p: Promise<T>, signal: AbortSignal): Promise<T>;
export interface DeadlineOptions {
  signal?: AbortSignal;
}
export function deadline<T>(p: Promise<T>, ms: number, options?: DeadlineOptions): Promise<T>;
export interface DelayOptions {
  signal?: AbortSignal;
  persistent?: boolean;
}
export function delay(ms: number, options?: DelayOptions): Promise<void>;
export function pooledMap<T, R>(
  poolLimit: number,
  array: Iterable<T> | AsyncIterable<T>,
  iteratorFn: (data: T) => Promise<R>,
): AsyncIterableIterator<R>;
export class MuxAsyncIterator<T> implements AsyncIterable<T> {
  add(iterable: AsyncIterable<T>): void;
  iterate(): AsyncIterableIterator<T>;
  [Symbol.asyncIterator](): AsyncIterator<T>;
}
