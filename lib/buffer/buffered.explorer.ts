import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { BufferContext } from './buffer.context.js';
import { adopt, release } from './buffered.hosts.js';

/** Finds the instances with `@Buffered` and `@Unbuffered` methods that factories and values provide. */
@Injectable()
export class BufferedExplorer implements OnModuleInit, OnApplicationShutdown {
  readonly #adopted = new Set<object>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly buffers: BufferContext,
  ) {}

  onModuleInit(): void {
    for (const wrapper of this.discovery.getProviders()) {
      const transient = wrapper.getStaticTransientInstances().map((each) => each?.instance);
      for (const instance of new Set([wrapper.instance as unknown, ...transient]))
        if (adopt(instance, this.buffers)) this.#adopted.add(instance as object);
    }
  }

  onApplicationShutdown(): void {
    for (const instance of this.#adopted) release(instance, this.buffers);
  }
}
