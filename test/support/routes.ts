import {
  All,
  BadRequestException,
  Body,
  Catch,
  Controller,
  Delete,
  Get,
  HttpCode,
  HttpException,
  Param,
  ParseIntPipe,
  Post,
  Redirect,
  Res,
  UseFilters,
  UseGuards,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
} from '@nestjs/common';
import { Emissions } from 'nestjs-emissions';

/** What both servers' responses can do. */
export interface Reply {
  status(code: number): Reply;
  send(body?: unknown): void;
  statusCode: number;
}

class Teapot extends Error {}

/** Answers with a status of its own. */
@Catch(Teapot)
class Mapped implements ExceptionFilter {
  constructor(private readonly status: number) {}

  catch(_error: Teapot, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<Reply>().status(this.status).send({ mapped: true });
  }
}

class Closed implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

/** Every way in which a request can be answered; each emits `a` first. */
@Controller()
export class Routes {
  constructor(private readonly emissions: Emissions) {}

  @All('method')
  method() {
    return { taken: this.emissions.emit('a') !== undefined };
  }

  @Post('status/:code')
  status(@Param('code', ParseIntPipe) code: number, @Res({ passthrough: true }) res: Reply) {
    this.emissions.emit('a');
    res.status(code);
    return code === 204 ? undefined : { code };
  }

  @Post('thrown/:code')
  thrown(@Param('code', ParseIntPipe) code: number) {
    this.emissions.emit('a');
    throw code === 0 ? new Error('unknown') : new HttpException('no', code);
  }

  @Post('accepted')
  @HttpCode(202)
  accepted() {
    this.emissions.emit('a');
  }

  @Post('refused')
  @HttpCode(409)
  refused() {
    this.emissions.emit('a');
  }

  @Post('redirected')
  @Redirect('/elsewhere', 303)
  redirected() {
    this.emissions.emit('a');
  }

  @Post('redirected/:code')
  @Redirect('/elsewhere')
  redirectedBy(@Param('code', ParseIntPipe) statusCode: number) {
    this.emissions.emit('a');
    return { url: '/other', statusCode };
  }

  @Post('manual/:code')
  manual(@Param('code', ParseIntPipe) code: number, @Res() res: Reply) {
    this.emissions.emit('a');
    res.status(code).send({ code });
  }

  @Post('later/:code')
  later(@Param('code', ParseIntPipe) code: number, @Res() res: Reply) {
    this.emissions.emit('a');
    setTimeout(() => {
      this.emissions.emit('b');
      res.status(code).send({ code });
    }, 1);
  }

  @Post('mapped/200')
  @UseFilters(new Mapped(200))
  mappedToSuccess() {
    this.emissions.emit('a');
    throw new Teapot();
  }

  @Post('mapped/422')
  @UseFilters(new Mapped(422))
  mappedToFailure() {
    this.emissions.emit('a');
    throw new Teapot();
  }

  @Post('guarded')
  @UseGuards(Closed)
  guarded() {
    this.emissions.emit('a');
  }

  @Post('piped/:number')
  piped(@Param('number', ParseIntPipe) _number: number) {
    this.emissions.emit('a');
  }

  @Post('unserializable')
  unserializable() {
    this.emissions.emit('a');
    return { total: 10n };
  }

  @Post('waits')
  async waits(@Body() { fail }: { fail: boolean }) {
    this.emissions.emit('a');
    await new Promise((resolve) => setImmediate(resolve));
    this.emissions.emit('b');
    if (fail) throw new BadRequestException();
  }

  @Post('by-hand')
  async byHand() {
    this.emissions.emit('a');
    return { committed: await this.emissions.commit() };
  }

  @Post('by-hand/not-awaited')
  notAwaited() {
    this.emissions.emit('a');
    this.emissions.commit().catch(() => {});
  }

  @Post('flushed')
  async flushed() {
    this.emissions.emit('a');
    await this.emissions.flush();
    this.emissions.emit('b');
    throw new Error('no');
  }

  @Get('started')
  started() {
    this.emissions.start();
    this.emissions.emit('a');
  }

  @Get('started/failing')
  startedAndFailed() {
    this.emissions.start();
    this.emissions.emit('a');
    throw new BadRequestException();
  }

  @Delete('nested')
  async nested() {
    this.emissions.emit('a');
    await this.emissions.run(() => this.emissions.emit('b'));
    const failing = this.emissions.run(() => {
      this.emissions.emit('c');
      throw new Error('no');
    });
    await failing.catch(() => {});
  }
}
