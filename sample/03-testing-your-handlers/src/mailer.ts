import { Injectable } from '@nestjs/common';

/** Stands for a mail server. Specs put something else in its place, as in every test of a Nest application. */
@Injectable()
export class Mailer {
  async send(to: string, text: string): Promise<void> {
    throw new Error(`There is no mail server to bring '${text}' to ${to}.`);
  }
}
