/** NestJS: a client of ClientsModule whose `url` is a target: nest ADDRESSES HTTP-ADDRESSES PROTO. It writes the pods' names. */
import "reflect-metadata";
import { registerResolvers } from "@grpc-lb/resolver";
import { Inject, Injectable, Module, type OnModuleInit } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { type ClientGrpc, ClientsModule, Transport } from "@nestjs/microservices";
import { firstValueFrom, type Observable } from "rxjs";

interface PodService {
  getPod(request: object): Observable<{ pod: { name: string } }>;
}

const [addresses, , protoPath = ""] = process.argv.slice(2);
registerResolvers();

@Injectable()
class PodNames implements OnModuleInit {
  @Inject("PODS")
  private readonly client!: ClientGrpc;
  private pods!: PodService;

  onModuleInit(): void {
    this.pods = this.client.getService<PodService>("PodService");
  }

  async list(): Promise<string[]> {
    const names = new Set<string>();
    const endMs = Date.now() + 10_000; // the first calls go to the server that is connected first
    while (names.size < 2 && Date.now() < endMs) names.add((await firstValueFrom(this.pods.getPod({}))).pod.name);
    return [...names].sort();
  }
}

const options = { package: "pod.v1", protoPath, url: `static:///${addresses}` };

@Module({
  imports: [ClientsModule.register([{ name: "PODS", transport: Transport.GRPC, options }])],
  providers: [PodNames],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ["error", "warn"] });
  process.stdout.write(JSON.stringify(await app.get(PodNames).list()));
  await app.close();
}

void main();
