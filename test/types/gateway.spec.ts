import { describe, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { createRemoteJWKSet, CryptoKey, JWTPayload, JWTVerifyOptions } from 'jose';
import type { JwtAuthentication, JwtClaims, JwtDemands } from 'nestjs-emissions/gateway';

describe('The types of jwtAuthentication', () => {
  it('fit those of jose, which need not be installed', () => {
    type Key = JwtAuthentication<{ tenant: string }>['key'];
    expectTypeOf<CryptoKey>().toExtend<Key>();
    expectTypeOf<ReturnType<typeof createRemoteJWKSet>>().toExtend<Key>();
    expectTypeOf<JWTPayload>().toExtend<JwtClaims>();
    expectTypeOf<JwtDemands>().toExtend<JWTVerifyOptions>();
    expectTypeOf<keyof JWTVerifyOptions>().toEqualTypeOf<keyof JwtDemands>();
  });
});
