import { Inject, Injectable, type OnModuleInit } from "@nestjs/common";
import type { ClientGrpc } from "@nestjs/microservices";
import { firstValueFrom, type Observable } from "rxjs";

interface Greeter {
  greet(request: object): Observable<{ readonly server: string }>;
}

@Injectable()
export class GreetingService implements OnModuleInit {
  @Inject("GREETER") private readonly client!: ClientGrpc;
  private greeter!: Greeter;

  onModuleInit(): void {
    this.greeter = this.client.getService<Greeter>("Greeter");
  }

  /** Resolves with the name of the server that took the call. */
  async greet(): Promise<string> {
    return (await firstValueFrom(this.greeter.greet({}))).server;
  }
}
