// #region docs
import { Body, Controller, Headers, Module, Post } from '@nestjs/common';
import { defineTopics, Emissions, EmissionsModule } from 'nestjs-emissions';
import { EmissionsGatewayModule } from 'nestjs-emissions/gateway';

/** Who a token belongs to; yours comes from a session, a database, or a signed token (jwtAuthentication). */
export const USERS: Record<string, { tenant: string; subject: string }> = {
  'token-ada': { tenant: 'org-1', subject: 'ada' },
  'token-bob': { tenant: 'org-2', subject: 'bob' },
};

@Controller('messages')
export class MessagesController {
  constructor(private readonly emissions: Emissions) {}

  @Post()
  write(@Headers('authorization') token: string, @Body() { text }: { text: string }) {
    const { tenant, subject } = USERS[token]!;
    this.emissions.emit('message.written', { text, by: subject }, {}, { tenant });
  }
}

@Module({
  imports: [
    EmissionsModule.forRoot({
      interceptor: 'global',
      topics: defineTopics({ messages: ['message.written'] }),
    }),
    EmissionsGatewayModule.forRoot({
      authenticate: ({ handshake }) => {
        const user = USERS[String(handshake.auth['token'])];
        if (user === undefined) throw new Error('No such token'); // refuses the connection
        return user;
      },
      authorize: (_identity, channel) => channel !== '*' || 'only admins follow everything',
    }),
  ],
  controllers: [MessagesController],
})
export class AppModule {}
// #endregion
