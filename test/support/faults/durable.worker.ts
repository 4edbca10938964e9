/** A process that is to be killed: emits what is stored for adapters, and says so before all of it is delivered. */
import { EmissionsDurableModule } from 'nestjs-emissions/durable';
import { FaultLab } from './fault.lab.js';
import { NATS } from './nats.js';
import { RABBITMQ } from './rabbitmq.js';
import { REDIS } from './redis.js';

const { SERVER, PORT, ID, CONSUMER, DURABLE, COUNT } = process.env;
const which = [REDIS, RABBITMQ, NATS].find(({ name }) => name === SERVER)!;
const lab = await FaultLab.start(which, Number(PORT), {
  id: ID!,
  consumer: JSON.parse(CONSUMER!) as object,
  imports: [EmissionsDurableModule.forRoot(JSON.parse(DURABLE!) as object)],
});
// Nobody is left who would kill it.
process.on('disconnect', () => process.exit(1));
await lab.emit(Number(COUNT));
process.send!('emitted');
