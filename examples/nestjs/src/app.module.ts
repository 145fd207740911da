import { join } from "node:path";
import { createServiceConfig } from "@grpc-lb/policies";
import { Module } from "@nestjs/common";
import { ClientsModule, Transport } from "@nestjs/microservices";
import { GreetingService } from "./greeting.service.js";

@Module({
  imports: [
    ClientsModule.registerAsync([
      {
        name: "GREETER",
        useFactory: () => ({
          transport: Transport.GRPC,
          options: {
            package: "greeter.v1",
            protoPath: join(import.meta.dirname, "../greeter.proto"),
            url: process.env.GREETER_TARGET, // in a cluster: kubernetes:///greeter.default:grpc
            channelOptions: { "grpc.service_config": createServiceConfig({ least_request: {} }) },
          },
        }),
      },
    ]),
  ],
  providers: [GreetingService],
})
export class AppModule {}
