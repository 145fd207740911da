/** What a reader of the documentation has, and what its code blocks therefore do not declare. */

/** The reader's client, of any generator. */
declare const client: import("@grpc-lb/protos/pod/v1").PodServiceClient;
/** The constructor of such a client. */
declare const PodServiceClient: typeof import("@grpc-lb/protos/pod/v1").PodServiceClient;
/** The reader's server. */
declare const server: import("@grpc/grpc-js").Server;
declare const dispatcher: import("@grpc-lb/resolver/undici").BalancedDispatcher;
/** The reader's code that waits by a clock. */
declare function poll(options: {
  readonly clock: import("@grpc-lb/core").Clock;
  readonly intervalMs: number;
}): Promise<void>;

/** Not installed here: the consumer tests run a program with the real one. */
declare module "@nestjs/microservices" {
  export enum Transport {
    GRPC = 4,
  }
  interface GrpcClient {
    readonly transport: Transport.GRPC;
    readonly options: {
      readonly package: string | string[];
      readonly url?: string;
      readonly protoPath?: string | string[];
      readonly channelOptions?: import("@grpc/grpc-js").ChannelOptions;
    };
  }
  export const ClientsModule: {
    register(clients: readonly (GrpcClient & { readonly name: string | symbol })[]): object;
    registerAsync(
      clients: readonly {
        readonly name: string | symbol;
        readonly useFactory: () => GrpcClient | Promise<GrpcClient>;
      }[],
    ): object;
  };
}
