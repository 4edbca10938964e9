import { Body, Controller, Headers, NotFoundException, Param, Post } from '@nestjs/common';
import { Endpoints, type Endpoint } from './endpoints.js';

/** For customers. Who asks is said by a header here, and by a token in your application. */
@Controller('endpoints')
export class EndpointsController {
  constructor(private readonly endpoints: Endpoints) {}

  @Post()
  register(@Headers('x-org') org: string, @Body() { url }: { url: string }): Endpoint {
    return this.endpoints.register(org, url);
  }

  @Post(':id/rotate')
  rotate(@Headers('x-org') org: string, @Param('id') id: string): Endpoint {
    const endpoint = this.endpoints.rotate(org, id);
    if (endpoint === undefined) throw new NotFoundException();
    return endpoint;
  }
}
